"""Since when a claim stands still: only what was read after that is of the volume as it is.

`status.capacity` rises once the file system has grown, but a sample from a moment before still
shows the old one. A step of less than a tenth, one that a limit has cut, cannot be told from
metadata by its size; so whoever looks at claims again and again notes when each was first seen
still, in memory.
"""

from datetime import UTC, datetime, timedelta

import msgspec

from rso.core.model import Claim, Condition
from rso.core.names import GROWN_AT
from rso.core.quantity import read_bytes
from rso.core.times import parse_time

# Any of them true: the storage side has not finished with the claim.
_GROWING = ("Resizing", "FileSystemResizePending", "ControllerResizeError", "NodeResizeError")
# Slow clouds take minutes; later a file system that is too small is not late but wrong.
VISIBLE_WITHIN = timedelta(minutes=15)
_EVER = datetime.min.replace(tzinfo=UTC)


class Seen(msgspec.Struct, frozen=True):
    """Whether a claim grows, and since when it has been seen so."""

    is_growing: bool
    since: datetime


def seen(before: Seen | None, claim: Claim, now: datetime) -> Seen:
    """Return how a claim is seen now; `before` is the last look, None after a restart.

    A claim that is seen for the first time, and that did not grow lately, has always been still.
    """
    growing = is_growing(claim)
    if before is not None and before.is_growing == growing:
        return before
    grown_at = parse_time(claim.metadata.annotations.get(GROWN_AT, ""))
    is_old = grown_at is None or now - grown_at > VISIBLE_WITHIN
    is_first = before is None and not growing
    return Seen(growing, _EVER if is_first and is_old else now)


def is_growing(claim: Claim) -> bool:
    """Return whether the storage side works on a claim, or is about to."""
    status = claim.status
    if status.resize_status or any(_is_growing(each) for each in status.conditions):
        return True
    return bool(claim.request and claim.capacity) and (
        read_bytes(claim.request) > read_bytes(claim.capacity)
    )


def _is_growing(condition: Condition) -> bool:
    return condition.type in _GROWING and condition.status == "True"
