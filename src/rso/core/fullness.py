"""How full a claim is: over the threshold, so nearly full that nothing waits, and what would help.

Shares are of the file system's capacity, without what is not available to a Pod.
"""

from fractions import Fraction
from math import ceil

from rso.core.scaling import HEADROOM_RATIO, Scaling
from rso.core.trust import Reading, scaled

# From here on one sample is enough, and the cooldown does not count.
URGENT_RATIO = Fraction(95, 100)
SAMPLES_AHEAD = 2


def is_reached(reading: Reading, scaling: Scaling) -> bool:
    """Return whether a threshold is reached: the share, the free bytes, or the inodes."""
    at = scaling.grow_at
    ratio = at.full_ratio
    if ratio is not None and _is_share(reading.used_bytes, reading.capacity_bytes, ratio):
        return True
    if at.free_bytes is not None and reading.available_bytes <= at.free_bytes:
        return True
    return reading.inodes > 0 and _is_share(
        reading.inodes_used, reading.inodes, scaling.inodes_ratio
    )


def _is_share(part: int, whole: int, ratio: Fraction) -> bool:
    """Return whether a part is at least this share; in integers, since each claim is asked."""
    return part * ratio.denominator >= whole * ratio.numerator


def checks_passed(row: tuple[Reading, ...], scaling: Scaling) -> int:
    """Return how many readings in a row, from the newest back, are over a threshold."""
    count = 0
    for reading in row:
        if not is_reached(reading, scaling):
            break
        count += 1
    return count


def is_urgent(row: tuple[Reading, ...]) -> bool:
    """Return whether a claim is at 95 %, or is full before two more samples if it goes on so."""
    newest = row[0]
    if full_ratio(newest) >= URGENT_RATIO:
        return True
    if len(row) == 1:
        return False
    used = newest.used_bytes - row[1].used_bytes
    if used > 0 and newest.available_bytes <= SAMPLES_AHEAD * used:
        return True
    inodes = newest.inodes_used - row[1].inodes_used
    left = newest.inodes - newest.inodes_used
    return bool(newest.inodes and row[1].inodes) and inodes > 0 and left <= SAMPLES_AHEAD * inodes


def full_ratio(reading: Reading) -> Fraction:
    """Return the share in use, of bytes or inodes, whichever is larger."""
    used = Fraction(reading.used_bytes, reading.capacity_bytes)
    return max(used, Fraction(reading.inodes_used, reading.inodes or 1))


def needed_bytes(reading: Reading, size_bytes: int, scaling: Scaling) -> int:
    """Return the smallest size of the claim that is 10 points under each threshold.

    Of free bytes: when a tenth of the new size is free beyond them. Inodes grow as bytes do.
    """
    at = scaling.grow_at
    needs = [0]
    if at.full_ratio is not None:
        needs.append(ceil(reading.used_bytes / (at.full_ratio - HEADROOM_RATIO)))
    if at.free_bytes is not None:
        needs.append(ceil((reading.used_bytes + at.free_bytes) / (1 - HEADROOM_RATIO)))
    if reading.inodes:
        share = Fraction(reading.inodes_used, reading.inodes)
        needs.append(ceil(reading.capacity_bytes * share / (scaling.inodes_ratio - HEADROOM_RATIO)))
    return scaled(max(needs), size_bytes, reading.capacity_bytes)
