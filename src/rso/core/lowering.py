"""When the autoscaler takes its own wish back: over a limit, or where storage says "never".

Nothing shrinks by it. A wish that a claim already has is inert and stays.
"""

from datetime import datetime

import msgspec

from rso.core.names import Hold
from rso.core.policy import Target
from rso.core.quantity import Size, format_bytes, read_bytes
from rso.core.steps import between
from rso.core.trust import Watched


class Lowered(msgspec.Struct, frozen=True):
    """A smaller wish, or none at all (0), and why."""

    bytes: int
    hold: Hold
    sentence: str


def over_limit(wish: Size, target: Target, largest: int, most: int) -> Lowered | None:
    """Return what becomes of a wish above a limit that was lowered since.

    `target` is what the set wants without it, `largest` the largest request of its claims, `most`
    the limit. The resizer refuses it whole (OverBound, StepTooBig), and each other wish with it.
    """
    base = max(target.current.bytes, largest)
    if wish.bytes <= base or wish.bytes <= most:
        return None
    size = most if most > max(base, target.claim.bytes) else 0
    sentence = f"{target.name}: the wish for {wish.text} is above the limit of {format_bytes(most)}"
    return Lowered(size, Hold.AT_LIMIT, f"{sentence}; {_what(size)}")


def infeasible(wish: Size, target: Target, claims: list[Watched], most: int) -> Lowered | None:
    """Return what becomes of a wish that storage refuses; None where lowering does not help.

    Half-way back to what the claim has, and so on with each refusal: any size above
    `status.capacity` is legal, none below (KEP-1790). With nothing left in between, or only sizes
    above the limit `most`, it is withdrawn. The claims follow the largest wish, so nobody else's
    may be as large.
    """
    refused = [each for each in claims if _is_refused(each, wish)]
    if not refused or target.claim.bytes >= wish.bytes:
        return None
    others = [each for each in claims if each.tracked.has_pod and each not in refused]
    is_left_over = not any(each.tracked.has_pod for each in refused)
    if is_left_over and any(each.request_bytes < wish.bytes for each in others):
        return None  # those that Pods use come first
    capacity = max(each.tracked.capacity_bytes for each in refused)
    size = min(between(capacity, wish.bytes) or 0, most)
    size = size if size > max(target.claim.bytes, capacity) else 0
    sentence = f"{target.name}: storage cannot grow claim {refused[0].tracked.name} to {wish.text}"
    return Lowered(size, Hold.INFEASIBLE, f"{sentence}; {_what(size)}")


def _is_refused(each: Watched, wish: Size) -> bool:
    """Return whether storage has refused just this size.

    After a lowering the old refusal stands until the resizer of the storage looks again: the size
    that it works on tells. A node's refusal is not cured by a smaller size (V40, V42).
    """
    worked_on = each.tracked.claim.status.allocated_resources.get("storage", "")
    return (
        each.tracked.is_refused_by_controller
        and each.request_bytes == wish.bytes
        and (not worked_on or read_bytes(worked_on) == wish.bytes)
    )


def _what(size: int) -> str:
    return f"it is lowered to {format_bytes(size)}" if size else "it is withdrawn"


def latest(times: list[datetime], now: datetime) -> datetime | None:
    """Return the latest of these times; one in the future is just now."""
    return max((min(each, now) for each in times), default=None)
