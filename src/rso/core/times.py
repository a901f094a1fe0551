"""Times as Kubernetes and our annotations write them."""

import re
from datetime import UTC, datetime

import msgspec

_DURATION = re.compile(r"(?:([0-9]{1,4})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,6})s)?", re.ASCII)


def parse_time(text: str) -> datetime | None:
    """Return the aware UTC time of an RFC 3339 text; None for anything else."""
    try:
        moment = msgspec.convert(text, datetime)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (msgspec.ValidationError, OverflowError):  # before year 1 or after 9999, in UTC
        return None


def format_time(moment: datetime) -> str:
    """Return a time as Kubernetes writes it: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def duration_seconds(text: str) -> float:
    """Return the seconds of a time as people write it: 90s, 10m, 1h30m; 0 for none.

    Raises: ValueError, with a sentence that says how to write it.
    """
    if text == "0":
        return 0.0
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        raise ValueError(f"{text!a} is no time; write 90s, 10m or 1h30m")
    hours, minutes, seconds = (int(each or 0) for each in match.groups())
    return float(hours * 3600 + minutes * 60 + seconds)
