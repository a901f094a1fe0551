"""Which samples of a claim are believed: the newest must be, older ones are passed over.

A step is for ever, so what is odd in any way is no ground for one. What real file systems report
(made with the defaults of xfsprogs 6.1, e2fsprogs 1.47 and btrfs-progs 6.2, measured by statvfs):

    size     xfs                ext4               btrfs
     64Mi    (300Mi at least)    14.5 % less       -
    300Mi    64Mi, 21.3 % less   9.6 % less        as large
    512Mi    64Mi, 12.5 % less   4.8 % less        as large
      1Gi    64Mi,  6.2 % less   4.9 % less        as large
     10Gi    64Mi,  0.6 % less   2.5 % less        as large
      1Ti   512Mi,  0.1 % less   1.7 % less        as large

So 10 % holds from 800Mi on; below, the least log of xfs alone is more.
"""

from datetime import UTC, datetime, timedelta
from math import floor, isfinite

import msgspec

from rso.core.claims import Tracked
from rso.core.names import GROWN_AT, Hold
from rso.core.quantity import read_bytes
from rso.core.settling import VISIBLE_WITHIN
from rso.core.times import parse_time
from rso.core.usage import Sample

# Clocks of nodes differ; more than this is no clock to go by.
SKEW = timedelta(seconds=30)
OFF_PARTS = 10  # a tenth of the claim's size; every step is larger, so it is seen (steps.py)
# The least log of xfs, 64Mi, and the header of LUKS2, 16Mi; of a tiny volume a third at most.
METADATA_BYTES = 80 * 2**20
METADATA_PARTS = 3
_UNDATED = datetime.max.replace(tzinfo=UTC)


class Watched(msgspec.Struct, frozen=True):
    """What is known of one claim: its samples, newest last, and its sizes.

    `size_bytes` is the larger one of the claim's capacity and its volume's.
    """

    tracked: Tracked
    samples: tuple[Sample, ...]
    request_bytes: int
    size_bytes: int
    grown_at: datetime | None
    quiet_since: datetime | None


class Reading(msgspec.Struct, frozen=True):
    """A sample that is believed, in whole bytes.

    `used_bytes` is all that is not available: a reserve of ext4 is of no use to a Pod. No `inodes`
    is 0: unknown, or none are counted.
    """

    taken_at: datetime
    capacity_bytes: int
    used_bytes: int
    inodes: int = 0
    inodes_used: int = 0

    @property
    def available_bytes(self) -> int:
        return self.capacity_bytes - self.used_bytes


def watch(
    tracked: Tracked,
    samples: tuple[Sample, ...],
    volume_bytes: int,
    quiet_since: datetime | None,
) -> Watched:
    """Return what is known of a claim.

    A `grown-at` that nobody can read counts as one in the future: as just now.
    """
    claim = tracked.claim
    text = claim.metadata.annotations.get(GROWN_AT)
    grown_at = None if text is None else parse_time(text) or _UNDATED
    return Watched(
        tracked=tracked,
        samples=samples,
        request_bytes=read_bytes(claim.request) if claim.request else 0,
        size_bytes=max(tracked.capacity_bytes, volume_bytes),
        grown_at=grown_at,
        quiet_since=quiet_since,
    )


def newest(watched: Watched, now: datetime, max_age: timedelta) -> Reading | Hold:
    """Return the newest sample if it is believed, else the reason."""
    if not watched.samples:
        return Hold.NO_USAGE
    sample = watched.samples[-1]
    hold = (
        _amounts_hold(watched, sample)
        or _age_hold(sample, now, max_age)
        or _size_hold(watched, sample, now)
    )
    return hold or _reading(sample)


def row(watched: Watched, last: Reading, now: datetime, max_age: timedelta) -> tuple[Reading, ...]:
    """Return what is believed, newest first, beginning with the newest.

    Each is older than the one before, by `max_age` at most: what a source says twice counts once,
    a later time than the next one's is passed over, and a gap ends the row.
    """
    found = [last]
    for sample in reversed(watched.samples[:-1]):
        gap = found[-1].taken_at - sample.taken_at
        if gap > max_age:
            break
        if gap > timedelta(0) and not (
            _amounts_hold(watched, sample) or _size_hold(watched, sample, now)
        ):
            found.append(_reading(sample))
    return tuple(found)


def _reading(sample: Sample) -> Reading:
    capacity = floor(sample.capacity_bytes)
    inodes, used = sample.inodes or 0.0, sample.inodes_used or 0.0
    # Odd inodes are no inodes: they never block (topolvm/pvc-autoresizer#118).
    is_counted = isfinite(inodes) and isfinite(used) and 0 <= used <= inodes
    return Reading(
        taken_at=sample.taken_at,
        capacity_bytes=capacity,
        used_bytes=max(capacity - floor(sample.available_bytes), 0),
        inodes=floor(inodes) if is_counted else 0,
        inodes_used=floor(used) if is_counted else 0,
    )


def _amounts_hold(watched: Watched, sample: Sample) -> Hold | None:
    """Return what is odd about a sample, whenever it was taken."""
    capacity, used, available = (
        sample.capacity_bytes,
        sample.used_bytes,
        sample.available_bytes,
    )
    if sample.claim_uid != watched.tracked.claim.metadata.uid:
        return Hold.DISTRUSTED_UID
    if not all(map(isfinite, (capacity, used, available))):
        return Hold.DISTRUSTED_NAN
    if min(capacity, used, available) < 0 or available > capacity:
        return Hold.DISTRUSTED_NEGATIVE
    if used > capacity:
        return Hold.DISTRUSTED_USED
    if capacity and not (used or available):
        return Hold.DISTRUSTED_INCOMPLETE  # the kubelet writes 0 for what it does not know (U2)
    return None


def _age_hold(sample: Sample, now: datetime, max_age: timedelta) -> Hold | None:
    if sample.taken_at > now + SKEW:
        return Hold.DISTRUSTED_FUTURE
    return Hold.DISTRUSTED_STALE if now - sample.taken_at > max_age else None


def _size_hold(watched: Watched, sample: Sample, now: datetime) -> Hold | None:
    """Return why a sample is not of the volume as the claim has it."""
    grown_at = watched.grown_at
    quiet_since = watched.quiet_since
    is_smaller = sample.capacity_bytes < watched.size_bytes
    if quiet_since is not None and sample.taken_at <= quiet_since <= now + SKEW:
        return Hold.NOT_YET_VISIBLE
    if grown_at is None:
        is_fresh = False
    elif grown_at > now + SKEW:
        is_fresh = True  # a clock was set back: it orders nothing, the size still tells
    elif sample.taken_at <= grown_at or sample.capacity_bytes <= _before(watched, grown_at):
        return Hold.NOT_YET_VISIBLE
    else:
        is_fresh = sample.taken_at - grown_at <= VISIBLE_WITHIN
    if is_close(sample.capacity_bytes, watched.size_bytes):
        return None
    return Hold.NOT_YET_VISIBLE if is_fresh and is_smaller else Hold.DISTRUSTED_CAPACITY


def _before(watched: Watched, grown_at: datetime) -> float:
    """Return how large the file system was before the claim last grew; 0 if nobody knows.

    It tells a growth that is within what is allowed for metadata. A larger one than the volume
    was no truth.
    """
    known = (
        each.capacity_bytes
        for each in reversed(watched.samples)
        if each.taken_at <= grown_at and _amounts_hold(watched, each) is None
    )
    found = next(known, 0.0)
    return found if found < watched.size_bytes else 0.0


def is_close(capacity_bytes: float, size_bytes: int) -> bool:
    """Return whether a file system's size fits a claim's: at most 10 % off, or little metadata."""
    off = abs(size_bytes - capacity_bytes)
    if off * OFF_PARTS <= size_bytes:
        return True
    is_little = off <= METADATA_BYTES and off * METADATA_PARTS <= size_bytes
    return is_little and capacity_bytes < size_bytes


def scaled(amount: int, size_bytes: int, capacity_bytes: int) -> int:
    """Return the size of the claim for a size of its file system: metadata grows along."""
    if capacity_bytes >= size_bytes:
        return amount
    return -(-amount * size_bytes // capacity_bytes)
