"""How far a step goes, and how many there may be.

What wins, from the strongest: the bound (and ten times the largest claim, beyond which a wish must
be confirmed), `grow-max`, that the step helps, `grow-min`, `grow-by`.

A step that helps leaves the fullest claim 10 points under its threshold. So it is a ninth of the
size at least, and the file system from before is more than 10 % off the claim's new size: nobody
takes its samples for those of the larger one (trust.py). Only a step that a limit cuts is smaller.
"""

from datetime import datetime, timedelta
from fractions import Fraction
from math import ceil

from rso.core.scaling import Scaling
from rso.core.times import format_time, parse_time

GIB = 2**30
MIB = 2**20
DAY = timedelta(days=1)


def target_bytes(start: int, needed: int, scaling: Scaling) -> int:
    """Return the size to ask for, above `start`, without the limits of `limited`.

    `start` is the largest size that a claim has or asks for. A step that does not help is taken as
    many times at once as it needs.
    """
    by = scaling.grow_by
    if by.ratio is None and by.step_bytes is None:
        return _power_of_two(max(start + max(scaling.grow_min_bytes, 1), needed))
    step = Fraction(by.step_bytes) if by.step_bytes else start * (by.ratio or 0)
    step = max(step, Fraction(max(scaling.grow_min_bytes, 1)))
    count = max(ceil((needed - start) / step), 1)
    return _rounded(ceil(start + count * step))


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


def steps_of(text: str, now: datetime) -> list[datetime]:
    """Return the steps of the last 24 hours by the set's note of them.

    A time in the future, or one that nobody can read, counts as just now: a wrong clock may make
    the autoscaler wait, never hurry.
    """
    times = [parse_time(each) or now for each in _noted(text)]
    return [each for each in times if now - each < DAY]


def noted(text: str, now: datetime, kept: int) -> str:
    """Return the note with one more step; it keeps the latest times, as many as a day may have.

    Whatever their age, since a clock may be set ahead and back: a time that is dropped counts only
    while all that are kept count, too, and these are enough.
    """
    before = (parse_time(each) or now for each in _noted(text))
    return ",".join(format_time(each) for each in sorted([*before, now])[-kept:])


def _noted(text: str) -> list[str]:
    return [each for each in text.split(",") if each]


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
