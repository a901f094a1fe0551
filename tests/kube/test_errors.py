"""Errors are decoded once, say what the caller must know, and are safe to log."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rso.kube import errors
from rso.kube.errors import ApiError, Unreachable, from_answer, printable

DATE = "Tue, 24 Nov 2026 12:00:00 GMT"


def body(**fields: object) -> bytes:
    """Return a Status."""
    return json.dumps(
        {"kind": "Status", "apiVersion": "v1", "status": "Failure", **fields}
    ).encode()


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (400, "BadRequest", errors.BadRequest),
        (401, "Unauthorized", errors.Unauthorized),
        (403, "Forbidden", errors.Forbidden),
        (404, "NotFound", errors.NotFound),
        (409, "Conflict", errors.Conflict),
        (409, "", errors.Conflict),
        (409, "AlreadyExists", errors.AlreadyExists),
        (410, "Expired", errors.Gone),
        (418, "", ApiError),
        (422, "Invalid", errors.Invalid),
        (429, "TooManyRequests", errors.TooManyRequests),
        (500, "InternalError", errors.ServerError),
        (504, "Timeout", errors.ServerError),
    ],
)
def test_kinds(code: int, reason: str, expected: type[ApiError]) -> None:
    """Each answer becomes the error that names it."""
    error = from_answer(code, {}, body(code=code, reason=reason, message="no"))

    assert type(error) is expected
    assert (error.code, error.reason, error.message) == (code, reason, "no")


def test_details() -> None:
    """Causes, kind and the wait come from the details."""
    details = {"kind": "pods", "causes": [{"reason": "FieldValueInvalid"}], "retryAfterSeconds": 3}
    error = from_answer(422, {}, body(reason="Invalid", details=details))

    assert error.causes == ("FieldValueInvalid",)
    assert error.kind == "pods"
    assert error.retry_after_seconds == 3


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"Retry-After": "7"}, 7, id="seconds"),
        pytest.param(
            {"Retry-After": "Tue, 24 Nov 2026 12:00:30 GMT", "Date": DATE}, 30, id="a date"
        ),
        pytest.param(
            {"Retry-After": "Tue, 24 Nov 2026 11:00:00 GMT", "Date": DATE}, 0, id="a past date"
        ),
        pytest.param({"Retry-After": DATE}, None, id="a date without the server's time"),
        pytest.param({"Retry-After": "soon", "Date": DATE}, None, id="neither"),
        pytest.param({"Retry-After": "-3"}, None, id="negative"),
        pytest.param({}, None, id="none"),
    ],
)
def test_retry_after(headers: dict[str, str], expected: float | None) -> None:
    """Retry-After is understood in seconds and as a date by the server's own time."""
    assert from_answer(429, headers, b"").retry_after_seconds == expected


def test_no_status() -> None:
    """An answer that is no Status is told as text: one line, cut."""
    error = from_answer(502, {}, b"<html>\nBad\x1b[31m Gateway" + b"x" * 9000)

    assert str(error).startswith("502 : <html>\\nBad\\x1b[31m Gateway")
    assert len(str(error)) < 600


def test_nulls() -> None:
    """A Status whose fields are null is a Status."""
    error = from_answer(404, {}, body(reason=None, message=None, details=None))

    assert (error.code, error.reason, error.message) == (404, "", "")


@given(st.text(max_size=2000))
def test_printable(text: str) -> None:
    """Whatever somebody else wrote becomes one printable line of bounded length."""
    shown = printable(text, 100)

    assert shown.isprintable()
    assert len(shown) <= 100 * len("\\U0010ffff") + 1
    assert shown.encode().decode() == shown


def test_unreachable() -> None:
    """Not reaching the server says whether the request may have been seen."""
    error = Unreachable("reset\n", sent=True)

    assert (str(error), error.sent) == ("reset\\n", True)
