"""Times as Kubernetes and our annotations write them."""

from datetime import UTC, datetime

import msgspec


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
