"""Log lines: a constant message and fields, one line each, on stderr.

Values come from annotations and error texts, that is from strangers (T17): they are quoted, control
characters and everything else that is not printable is escaped, and long ones are cut. Nothing of
an object but its identity belongs into a field (O11).
"""

import logging
import re
import secrets
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TextIO

import msgspec

from rso.app.settings import LogFormat, LogLevel

MAX_CHARACTERS = 500  # of one value; a whole line stays readable in a terminal
_MAX_FRAMES = 8
_MAX_ERRORS = 5

# What every record has; the rest came by `extra`.
_STANDARD = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "fields"})
_PLAIN = re.compile(r"[\w.:/@%+,-]+")


class Logger:
    """Writes lines that all carry the same fields, such as the key of a set.

    The message is a constant, so that lines can be counted; what differs goes into the fields.
    """

    def __init__(self, logger: logging.Logger, **fields: object) -> None:
        self._logger = logger
        self._fields = fields

    def bind(self, **fields: object) -> "Logger":
        """Return a logger that carries these fields too."""
        return Logger(self._logger, **{**self._fields, **fields})

    def debug(self, message: str, **fields: object) -> None:
        self._write(logging.DEBUG, message, fields)

    def info(self, message: str, **fields: object) -> None:
        self._write(logging.INFO, message, fields)

    def warning(self, message: str, **fields: object) -> None:
        self._write(logging.WARNING, message, fields)

    def error(self, message: str, **fields: object) -> None:
        self._write(logging.ERROR, message, fields)

    def failure(self, message: str, error: BaseException, **fields: object) -> None:
        """Write an error that nobody expected, with the places it came through."""
        self._write(logging.ERROR, message, fields, error)

    def _write(
        self,
        level: int,
        message: str,
        fields: Mapping[str, object],
        error: BaseException | None = None,
    ) -> None:
        carried = {"fields": {**self._fields, **fields}}
        self._logger.log(level, message, extra=carried, exc_info=error)


class TextFormatter(logging.Formatter):
    """Lines for people: time, level, message, then `key=value`."""

    def format(self, record: logging.LogRecord) -> str:
        head = f"{_time(record)} {record.levelname:<7} {_escape(_message(record))}"
        pairs = (f"{key}={_quoted(value)}" for key, value in _fields(record).items())
        return " ".join((head, *pairs))


class JsonFormatter(logging.Formatter):
    """Lines for machines: one JSON object with `time`, `level`, `message` and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        line = _fields(record) | {
            "time": _time(record),
            "level": record.levelname.lower(),
            "message": _message(record),
        }
        return _escape(msgspec.json.encode(line).decode())


def configure(log_format: LogFormat, level: LogLevel, stream: TextIO = sys.stderr) -> None:
    """Send all logging of this process to a stream; libraries from warnings on only."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.WARNING, _level(level)))
    logging.getLogger("rso").setLevel(_level(level))


def new_reconcile_id() -> str:
    """Return what ties the lines of one reconcile together."""
    return secrets.token_hex(4)


def _level(level: LogLevel) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    return _cut(record.getMessage())


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """Return the fields of a record: those of `Logger`, and `extra` of other loggers."""
    extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    fields = {**extra, **getattr(record, "fields", {})}
    if record.exc_info and record.exc_info[1]:
        fields |= _describe(record.exc_info[1])
    return {key: _value(value) for key, value in fields.items()}


def _value(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    return _cut(str(value))


def _cut(text: str) -> str:
    # Lone surrogates cannot be written to any stream.
    text = text.encode(errors="backslashreplace").decode()
    more = len(text) - MAX_CHARACTERS
    return text if more <= 0 else f"{text[:MAX_CHARACTERS]}... {more} more"


def _quoted(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if not _PLAIN.fullmatch(text):
        text = msgspec.json.encode(text).decode()
    return _escape(text)


def _escape(text: str) -> str:
    """Return a text with all that is not printable as JSON escapes, a pair where JSON needs one."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    units = char.encode("utf-16-be").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def _describe(error: BaseException) -> dict[str, object]:
    """Return what an error says and where it came through, innermost place first."""
    leaves = _leaves(error)[:_MAX_ERRORS]
    frames = traceback.extract_tb(leaves[0].__traceback__)[-_MAX_FRAMES:]
    places = [f"{PurePath(frame.filename).name}:{frame.lineno}" for frame in reversed(frames)]
    texts = [f"{type(leaf).__name__}: {leaf}" for leaf in leaves]
    return {"error": "; ".join(texts), "at": ",".join(places)}


def _leaves(error: BaseException) -> list[BaseException]:
    """Return the errors inside a group: the group's own text says only how many there are."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
