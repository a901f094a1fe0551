"""Which samples are believed: what real file systems report is, what is odd is not."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from rso.core.autoscale import Usage
from rso.core.model import Claim
from rso.core.names import Hold
from rso.core.settling import Seen, seen
from rso.core.times import format_time
from rso.core.trust import is_close, scaled
from tests.core.usages import outcome, row, sample, usage
from tests.factories import GIB, NOW, claim, own, unbound

MIB = 2**20


@pytest.mark.parametrize(
    ("size_mib", "capacity_mib"),
    [
        *((300, 236.0), (512, 448.0), (1024, 960.0), (10240, 10176.0), (1048576, 1048064.0)),
        *((64, 54.7), (128, 114.5), (300, 271.1), (1024, 973.4), (1048576, 1031018.4)),
        *((128, 128.0), (300, 300.0), (10240, 10240.0)),
    ],
)
def test_file_systems_as_they_are_made_are_believed(size_mib: int, capacity_mib: float) -> None:
    """The capacities that xfs, ext4 and btrfs reported on volumes of these sizes."""
    assert is_close(capacity_mib * MIB, size_mib * MIB)


@pytest.mark.parametrize(
    ("size_mib", "capacity_mib", "expected"),
    [
        pytest.param(1000, 900, True, id="10 % less"),
        pytest.param(1000, 899, False, id="more than 10 % less"),
        pytest.param(1000, 1100, True, id="10 % more"),
        pytest.param(1000, 1101, False, id="more than 10 % more"),
        pytest.param(300, 220, True, id="a small one, the log of xfs less"),
        pytest.param(300, 219, False, id="a small one, more than that less"),
        pytest.param(300, 331, False, id="a small one gains nothing above"),
        pytest.param(90, 60, True, id="a tiny one, a third less"),
        pytest.param(90, 59, False, id="a tiny one, more than a third less"),
        pytest.param(0, 1, False, id="a claim without a size"),
    ],
)
def test_what_is_off_is_not_believed(
    size_mib: int,
    capacity_mib: int,
    expected: bool,  # noqa: FBT001  a table
) -> None:
    """A tenth, and of small volumes what metadata takes at most."""
    assert expected == is_close(float(capacity_mib * MIB), size_mib * MIB)


def test_a_size_of_a_claim_has_room_for_metadata() -> None:
    """What the file system shall have, the claim must have more of."""
    assert 1000 == scaled(900, size_bytes=100, capacity_bytes=90)
    assert 1000 == scaled(1000, size_bytes=100, capacity_bytes=110)


def grown(hours: float, *capacities: str, at: str = "20Gi") -> Usage:
    """Return a claim that grew so many hours ago to 20Gi, and samples of file systems."""
    made = usage(request=at, grown_at=format_time(NOW - timedelta(hours=hours)))
    taken = row(*([0.99] * len(capacities)))
    samples = (
        sample(0.99, size, taken_at=each.taken_at)
        for size, each in zip(capacities, taken, strict=True)
    )
    return replace(made, samples=tuple(samples))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(grown(0.1, "20Gi"), None, id="as large as the claim"),
        pytest.param(grown(0.1, "10Gi"), Hold.NOT_YET_VISIBLE, id="as before, a little later"),
        pytest.param(grown(2, "10Gi"), Hold.DISTRUSTED_CAPACITY, id="as before, much later"),
        pytest.param(grown(0.1, "30Gi"), Hold.DISTRUSTED_CAPACITY, id="larger than the claim"),
        pytest.param(grown(-9, "20Gi"), None, id="grown in the future, the size tells"),
        pytest.param(grown(-9, "10Gi"), Hold.NOT_YET_VISIBLE, id="grown in the future, too small"),
        pytest.param(
            grown(0.01, "19.5Gi", "19.5Gi"), Hold.NOT_YET_VISIBLE, id="a small step, not yet there"
        ),
        pytest.param(grown(0.01, "19.5Gi", "19.6Gi"), None, id="a small step, there"),
        pytest.param(grown(0.01, "30Gi", "20Gi"), None, id="a lie from before does not count"),
        pytest.param(grown(0.01, "0", "20Gi"), None, id="nothing known from before"),
    ],
)
def test_a_growth_is_believed_when_it_is_seen(found: Usage, expected: Hold | None) -> None:
    """Nothing is decided by the file system that was there before the claim grew."""
    assert expected == outcome(found).hold


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(5, Hold.NOT_YET_VISIBLE, id="the sample is older"),
        pytest.param(15, None, id="the sample is newer"),
        pytest.param(-60, None, id="a clock that was set back orders nothing"),
    ],
)
def test_only_what_is_read_after_a_claim_stands_still_counts(
    seconds: int, expected: Hold | None
) -> None:
    """A cut step is too small to be seen by its size: then the time tells."""
    since = NOW - timedelta(seconds=seconds)

    assert expected == outcome(replace(usage(0.99), quiet_since=since)).hold


GROWS = claim(request="20Gi", capacity="10Gi")
STILL = claim(request="20Gi", capacity="20Gi")
JUST_GROWN = claim(metadata={"annotations": own({"grown-at": format_time(NOW)})})
NODE = {"allocatedResourceStatuses": {"storage": "NodeResizePending"}}
EARLIER = NOW - timedelta(hours=1)


@pytest.mark.parametrize(
    ("before", "found", "expected"),
    [
        pytest.param(None, GROWS, Seen(is_growing=True, since=NOW), id="grows at first sight"),
        pytest.param(None, JUST_GROWN, Seen(is_growing=False, since=NOW), id="just grown"),
        pytest.param(
            Seen(is_growing=True, since=EARLIER),
            STILL,
            Seen(is_growing=False, since=NOW),
            id="has come to rest",
        ),
        pytest.param(
            Seen(is_growing=True, since=EARLIER),
            GROWS,
            Seen(is_growing=True, since=EARLIER),
            id="still grows",
        ),
        pytest.param(
            Seen(is_growing=False, since=EARLIER),
            claim(status=NODE),
            Seen(is_growing=True, since=NOW),
            id="the node is at it",
        ),
        pytest.param(
            Seen(is_growing=False, since=EARLIER),
            STILL,
            Seen(is_growing=False, since=EARLIER),
            id="at rest",
        ),
    ],
)
def test_it_is_noted_since_when_a_claim_stands_still(
    before: Seen | None, found: Claim, expected: Seen
) -> None:
    """The first look that finds no resize is the time that counts, not the last that found one."""
    assert expected == seen(before, found, NOW)


def test_a_claim_that_did_not_grow_lately_has_always_been_still() -> None:
    """After a restart nobody waits for a sample because of a growth of long ago."""
    assert seen(None, STILL, NOW).since < EARLIER
    assert not seen(None, unbound(), NOW).is_growing


@pytest.mark.parametrize(
    ("inodes", "used", "expected"),
    [
        pytest.param(1000.0, 800.0, None, id="80 %"),
        pytest.param(1000.0, 799.0, Hold.BELOW_THRESHOLD, id="less"),
        pytest.param(None, None, Hold.BELOW_THRESHOLD, id="not known"),
        pytest.param(0.0, 0.0, Hold.BELOW_THRESHOLD, id="not counted"),
        pytest.param(1000.0, None, Hold.BELOW_THRESHOLD, id="used not known"),
        pytest.param(float("nan"), 800.0, Hold.BELOW_THRESHOLD, id="no number"),
        pytest.param(1000.0, float("inf"), Hold.BELOW_THRESHOLD, id="infinite"),
        pytest.param(1000.0, 1001.0, Hold.BELOW_THRESHOLD, id="more used than there are"),
        pytest.param(-5.0, -9.0, Hold.BELOW_THRESHOLD, id="below zero"),
    ],
)
def test_inodes_that_are_missing_or_odd_never_block(
    inodes: float | None, used: float | None, expected: Hold | None
) -> None:
    """The bytes are judged, whatever is said of the inodes."""
    samples = row(0.1, 0.1, inodes=inodes, inodes_used=used)

    assert expected == outcome(replace(usage(), samples=samples)).hold
    bytes_full = row(0.9, 0.9, inodes=inodes, inodes_used=used)
    assert None is outcome(replace(usage(), samples=bytes_full)).hold


def test_inodes_decide_how_far_a_step_goes() -> None:
    """A volume that runs out of inodes grows until they are 10 points under their threshold."""
    samples = row(0.1, 0.1, inodes=1000.0, inodes_used=990.0)
    found = replace(usage(), samples=samples)

    assert "32Gi" == outcome(found, grow_at_inodes="50%").size
    assert "16Gi" == outcome(found, grow_at_inodes="80%").size


def test_inodes_that_run_out_are_urgent() -> None:
    """One sample suffices when the inodes are gone before the next two."""
    before, last = row(0.1, 0.1, inodes=1000.0, inodes_used=760.0)
    claims = replace(usage(), samples=(before, replace(last, inodes_used=850.0)))

    assert None is outcome(claims).hold
    steady = replace(usage(), samples=(before, replace(last, inodes_used=830.0)))
    assert Hold.ONE_CHECK == outcome(steady).hold


def test_a_gap_ends_the_row() -> None:
    """Two checks are two looks one after the other, not one of long ago."""
    old = sample(0.9, taken_at=NOW - timedelta(minutes=9))

    assert Hold.ONE_CHECK == outcome(replace(usage(), samples=(old, sample(0.9)))).hold


def test_an_odd_sample_between_two_good_ones_is_passed_over() -> None:
    """Whoever stammers once is still believed for the rest."""
    first, second, third = row(0.9, 0.9, 0.9)
    odd = replace(second, used_bytes=99.0 * GIB)

    assert None is outcome(replace(usage(), samples=(first, odd, third))).hold


def test_a_clock_that_was_set_back_confirms_nothing() -> None:
    """Samples that are later than the newest one are not counted as checks before it."""
    later = sample(0.9, taken_at=NOW + timedelta(hours=1))

    assert Hold.ONE_CHECK == outcome(replace(usage(), samples=(later, sample(0.9)))).hold


def test_a_reserve_that_no_pod_can_use_is_used() -> None:
    """Of ext4 the 5 % for root do not count as free."""
    full = row(0.78, 0.78, available_bytes=0.19 * 10 * GIB)

    assert None is outcome(replace(usage(), samples=full)).hold
