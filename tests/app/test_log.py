"""Log lines are one line each, whatever strangers write into values."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rso.app.log import (
    MAX_CHARACTERS,
    JsonFormatter,
    Logger,
    TextFormatter,
    configure,
    new_reconcile_id,
)
from rso.app.settings import LogFormat
from rso.core.quantity import size

ANYTHING = st.text(st.characters(), max_size=50) | st.text(max_size=700)


def record(message: str, **extra: object) -> logging.LogRecord:
    """Return a record as any library would make it."""
    values = {"msg": message, "levelname": "INFO", "created": 0.5, **extra}
    return logging.makeLogRecord(values)


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Return where lines go; logging is as before afterwards."""
    root, own = logging.getLogger(), logging.getLogger("rso")
    before = root.handlers[:], root.level, own.level
    yield io.StringIO()
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    own.setLevel(before[2])


def test_a_line_for_people() -> None:
    """Text has time, level, message and fields, quoted only where needed."""
    line = record("claim grows", fields={"namespace": "shop", "size": 1, "why": "is full", "a": ""})
    expected = (
        '1970-01-01T00:00:00.500Z INFO    claim grows namespace=shop size=1 why="is full" a=""'
    )

    assert expected == TextFormatter().format(line)


def test_a_line_for_machines() -> None:
    """JSON has the same as one flat object; a field cannot pose as the message."""
    line = record("claim grows", fields={"name": "db", "ready": None, "level": "forged"})
    expected = {
        "time": "1970-01-01T00:00:00.500Z",
        "level": "info",
        "message": "claim grows",
        "name": "db",
        "ready": None,
    }

    assert expected == json.loads(JsonFormatter().format(line))


@given(ANYTHING, ANYTHING)
@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_a_value_never_makes_a_line(formatter: logging.Formatter, message: str, value: str) -> None:
    """Whatever message and value are, the line is printable, bounded and one line."""
    line = formatter.format(record(message.replace("%", ""), fields={"value": value}))

    assert line.isprintable()
    assert len(line) < 12 * (2 * MAX_CHARACTERS + 50)


@given(st.text(max_size=MAX_CHARACTERS))
def test_json_gives_values_back(value: str) -> None:
    """A value that is not too long is read from a JSON line as it was."""
    line = JsonFormatter().format(record("m", fields={"value": value}))

    assert value == json.loads(line)["value"]


def test_long_values_are_cut() -> None:
    """A long value is cut, and the line says by how much."""
    line = TextFormatter().format(record("m", fields={"value": "a" * 600}))

    assert line.endswith('... 100 more"')


def test_other_loggers_give_their_fields() -> None:
    """The `extra` of any logger is shown as fields."""
    line = TextFormatter().format(record("a listener failed", kind="pods"))

    assert line.endswith("a listener failed kind=pods")


def test_a_bound_logger_carries_its_fields(stream: io.StringIO) -> None:
    """Each line has the fields that were bound, and its own."""
    configure("json", "debug", stream)
    log = Logger(logging.getLogger("rso.test"), namespace="shop").bind(name="db")
    log.debug("one")
    log.info("two")
    log.warning("three", attempt=1)
    log.error("four", name="other")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]

    expected = [
        ("debug", "shop", "db", None),
        ("info", "shop", "db", None),
        ("warning", "shop", "db", 1),
        ("error", "shop", "other", None),
    ]

    assert expected == [
        (line["level"], line["namespace"], line["name"], line.get("attempt")) for line in lines
    ]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_failure_is_one_line_too(stream: io.StringIO, log_format: LogFormat) -> None:
    """An error of a task group is shown by what is inside it, with the place, in one line."""
    configure(log_format, "info", stream)
    with pytest.raises(ValueError, match="size") as caught:
        size("no\nsize")
    group = ExceptionGroup("tasks", [ExceptionGroup("more", [caught.value]), KeyError("k")])
    Logger(logging.getLogger("rso.test")).failure("reconcile failed", group, name="db")
    text = stream.getvalue()

    assert len(text.splitlines()) == 1
    assert "InvalidQuantity: " in text
    assert "; KeyError: 'k'" in text
    assert "quantity.py:" in text


def test_libraries_speak_only_up_when_it_matters(stream: io.StringIO) -> None:
    """Below warnings, only our own loggers are heard."""
    configure("text", "debug", stream)
    logging.getLogger("aiohttp").info("chatter")
    logging.getLogger("aiohttp").warning("trouble")
    logging.getLogger("rso.kube").debug("ours")
    heard = [line.split()[2] for line in stream.getvalue().splitlines()]
    expected = ["trouble", "ours"]

    assert expected == heard


def test_a_level_silences_what_is_below(stream: io.StringIO) -> None:
    """With level error, warnings are not shown, neither ours nor others'."""
    configure("text", "error", stream)
    logging.getLogger("aiohttp").warning("trouble")
    logging.getLogger("rso.kube").warning("ours")

    assert not stream.getvalue()


def test_each_reconcile_has_its_own_id() -> None:
    """Two reconciles can be told apart."""
    assert new_reconcile_id() != new_reconcile_id()
