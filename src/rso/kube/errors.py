"""What can go wrong with a request, decoded once, here.

``Unreachable`` says whether the server can have seen the request; an ``ApiError`` is the server's
own answer. Nothing of a request's body ever enters an error's text; what the server says is
capped and made printable, since it may repeat names that an attacker chose (T17).
"""

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

import msgspec

MESSAGE_CHARACTERS = 500  # enough for a sentence, too little to flood a log
WHOLE_CHARACTERS = 10_000  # for a person who asks why: a policy may name many fields


class KubeError(Exception):
    """Something between us and the API server did not work."""


class Unreachable(KubeError):
    """No answer came; ``sent`` is False only if the server surely never saw the request."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(printable(message))
        self.sent = sent


class Undecodable(KubeError):
    """The server answered with something we cannot read."""


class NoCredentials(KubeError):
    """We have nothing to show to the API server; the text says what is missing."""


class LeaseLost(KubeError):
    """Another instance leads, or we could not renew in time."""


class MayNotWrite(KubeError):
    """The write was not sent, because this instance does not lead."""


class ApiError(KubeError):
    """The server refused.

    ``causes`` are the reasons in ``status.details.causes`` and ``fields`` the paths of the fields
    that they name, ``kind`` is ``status.details.kind``,
    ``retry_after_seconds`` is what the server asked for, if it did. ``whole_message`` is the same
    as ``message``, but for a person who asks: it is too long for a log.
    """

    def __init__(  # noqa: PLR0913  the fields of a Status
        self,
        code: int,
        reason: str = "",
        message: str = "",
        *,
        causes: tuple[str, ...] = (),
        fields: tuple[str, ...] = (),
        retry_after_seconds: float | None = None,
        kind: str = "",
    ) -> None:
        super().__init__(code, reason, message)
        self.code = code
        self.reason = printable(reason)
        self.message = printable(message)
        self.whole_message = printable(message, WHOLE_CHARACTERS)
        self.causes = causes
        self.fields = fields
        self.retry_after_seconds = retry_after_seconds
        self.kind = kind

    def __str__(self) -> str:
        return f"{self.code} {self.reason}: {self.message}"


class BadRequest(ApiError):
    """400: the request makes no sense, or a webhook refused it."""


class Unauthorized(ApiError):
    """401: our credentials are not accepted; nothing was done."""


class Forbidden(ApiError):
    """403: rights, quota or admission refuse."""


class NotFound(ApiError):
    """404: the object or the resource does not exist."""


class Conflict(ApiError):
    """409: the object is not the one we looked at; look again."""


class AlreadyExists(ApiError):
    """409 AlreadyExists: the name is taken."""


class Gone(ApiError):
    """410: the version or the continue token is too old; list again."""


class Invalid(ApiError):
    """422: validation refuses the object."""


class TooManyRequests(ApiError):
    """429: the server has no time; nothing was done."""


class ServerError(ApiError):
    """5xx: the server failed; the request may have been executed."""


class _Cause(msgspec.Struct):
    reason: str | None = None
    field: str | None = None


class _Details(msgspec.Struct, rename="camel"):
    kind: str | None = None
    causes: tuple[_Cause, ...] | None = None
    retry_after_seconds: float | None = None


class _Status(msgspec.Struct):
    code: int | None = None
    reason: str | None = None
    message: str | None = None
    details: _Details | None = None


def printable(text: str, limit: int = MESSAGE_CHARACTERS) -> str:
    """Return text on one line: control characters escaped, cut at ``limit`` characters."""
    cut = text if len(text) <= limit else text[:limit] + "…"
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in cut
    )


def from_answer(code: int, headers: Mapping[str, str], body: bytes) -> ApiError:
    """Return the error that an answer with this code means; a body that is no Status is text."""
    status = _decode(body) or _Status(message=body[:MESSAGE_CHARACTERS].decode(errors="replace"))
    return _error(code, status, retry_after_seconds(headers))


def from_event(body: bytes) -> ApiError:
    """Return the error that an ERROR event of a watch carries."""
    status = _decode(body) or _Status()
    return _error(status.code or 0, status, None)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return how long the server asks us to wait, in seconds.

    Shape: None without the header, or with one that cannot be read; never negative.
    Source: RFC 9110 section 10.2.3, seconds or a date; a date counts from the answer's ``Date``,
    so that our clock does not matter.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    until, sent = http_date(text), http_date(headers.get("Date", ""))
    return max(0.0, (until - sent).total_seconds()) if until and sent else None


def http_date(text: str) -> datetime | None:
    """Return an HTTP date as aware UTC, or None."""
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date if date.tzinfo else None


def _decode(body: bytes) -> _Status | None:
    try:
        return msgspec.json.decode(body, type=_Status)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _error(code: int, status: _Status, retry_after: float | None) -> ApiError:
    details = status.details or _Details()
    return _kind_of(code, status.reason or "")(
        code,
        status.reason or "",
        status.message or "",
        causes=tuple(cause.reason or "" for cause in details.causes or ()),
        fields=tuple(printable(cause.field) for cause in details.causes or () if cause.field),
        retry_after_seconds=details.retry_after_seconds if retry_after is None else retry_after,
        kind=details.kind or "",
    )


def _kind_of(code: int, reason: str) -> type[ApiError]:
    if code == 409:  # noqa: PLR2004  one code, two meanings
        return AlreadyExists if reason == "AlreadyExists" else Conflict
    if 500 <= code < 600:  # noqa: PLR2004  the class of the code is the meaning
        return ServerError
    return {
        400: BadRequest,
        401: Unauthorized,
        403: Forbidden,
        404: NotFound,
        410: Gone,
        422: Invalid,
        429: TooManyRequests,
    }.get(code, ApiError)
