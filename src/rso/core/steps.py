"""How far a step goes, and how many there may be.

What wins, from the strongest: the bound (and ten times the largest claim, beyond which a wish must
be confirmed), `grow-max`, that the step helps, `grow-min`, `grow-by`.

A step that helps leaves the fullest claim 10 points under its threshold. So it is a ninth of the
size at least, and the file system from before is more than 10 % off the claim's new size: nobody
takes its samples for those of the larger one (trust.py). Only a step that a limit cuts is smaller.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import ceil

from rso.core.names import AUTO_STEPS
from rso.core.scaling import MOST_STEPS_PER_DAY, Scaling
from rso.core.times import format_time, parse_time

GIB = 2**30
MIB = 2**20
DAY = timedelta(days=1)


def target_bytes(start: int, needed: int, scaling: Scaling) -> int:
    """Return the size to ask for, above `start`, without the limits of `limited`.

    `start` is the largest size that a claim has or asks for.
    """
    least = max(start + scaling.grow_min_bytes, needed, start + 1)
    by = scaling.grow_by
    if by.ratio is None and by.step_bytes is None:
        return _power_of_two(least)
    step = by.step_bytes or max(ceil(start * (by.ratio or 0)), 1)
    count = max(ceil_divided(least - start, step), 1)
    return _rounded(start + count * step)


def limited(target: int, start: int, most: int, scaling: Scaling) -> int:
    """Return the size that the limits leave of a target; it may be no step at all."""
    if scaling.grow_max_bytes is not None:
        most = min(most, start + scaling.grow_max_bytes)
    return min(target, most)


def between(low: int, high: int) -> int | None:
    """Return a round size half-way between two, both excluded; None when there is none."""
    unit = unit_bytes(low)
    half = (low + (high - low) // 2) // unit * unit
    if half <= low:
        half = low // unit * unit + unit
    return half if low < half < high else None


def steps_of(annotations: Mapping[str, str], index: int, now: datetime) -> list[datetime]:
    """Return when steps of the last 24 hours were taken, oldest first.

    A time in the future, or one that nobody can read, counts as just now: a wrong clock may make
    the autoscaler wait, never hurry.
    """
    text = annotations.get(f"{AUTO_STEPS}{index}", "")
    times = [parse_time(each) or now for each in text.split(",") if each]
    return sorted(min(each, now) for each in times if now - each < DAY)


def noted(steps: list[datetime], now: datetime) -> str:
    """Return the annotation with one more step."""
    return ",".join(format_time(each) for each in [*steps, now][-MOST_STEPS_PER_DAY:])


def unit_bytes(amount: int) -> int:
    """Return to which unit sizes are rounded: whole GiB, as clouds do; below 1 GiB whole MiB.

    A claim between two sizes of its driver is one whose next growth may never end (V40).
    """
    return GIB if amount >= GIB else MIB


def ceil_divided(amount: int, by: int) -> int:
    """Return how many times `by` covers an amount."""
    return -(-amount // by)


def _rounded(amount: int) -> int:
    unit = unit_bytes(amount)
    return ceil_divided(amount, unit) * unit


def _power_of_two(least: int) -> int:
    gibs = ceil_divided(least, GIB)
    return GIB << max(gibs - 1, 0).bit_length()
