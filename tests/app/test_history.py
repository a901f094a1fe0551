"""What the autoscaler remembers of claims, and when it forgets it."""

from datetime import timedelta

from msgspec.structs import replace

from rso.app.history import History
from rso.core.model import Claim, Quantities
from rso.core.usage import Sample
from tests.factories import claim
from tests.kube.clock import FakeClock
from tests.support.clocks import ShiftedClock

MINE = claim("data-db-0")


def sample(clock: FakeClock | ShiftedClock, seconds: float = 0.0) -> Sample:
    """Return a sample of so many seconds after now."""
    taken_at = clock.now() + timedelta(seconds=seconds)
    return Sample(MINE.metadata.uid, taken_at, 10.0, 5.0, 5.0)


def samples(history: History, of: Claim = MINE) -> tuple[Sample, ...]:
    """Return what is remembered of a claim."""
    return history.usage(of, is_mounted=True).samples


def test_so_many_samples_are_kept_newest_last() -> None:
    """The oldest goes; the same sample once more counts once."""
    clock = FakeClock()
    history, made = History(clock), [sample(clock, seconds) for seconds in (1, 2, 3)]
    for each in (made[0], made[1], made[1], made[2]):
        history.take(MINE, each, 2)

    assert (made[1], made[2]) == samples(history)


def test_an_older_sample_is_taken_too() -> None:
    """A node whose clock was ahead is right again: its true times are older."""
    clock = FakeClock()
    history = History(clock)
    history.take(MINE, sample(clock, 3600), 2)
    history.take(MINE, sample(clock, 1), 2)

    assert sample(clock, 1) == samples(history)[-1]


def test_another_claim_of_the_name_has_no_past() -> None:
    """Deleted and made again it is another claim, also to memory."""
    clock = FakeClock()
    history = History(clock)
    history.take(MINE, sample(clock), 2)
    other = replace(MINE, metadata=replace(MINE.metadata, uid="another"))

    assert () == samples(history, other)


def test_claims_that_are_not_asked_about_are_forgotten() -> None:
    """Memory holds what is looked at, and nothing else."""
    clock = FakeClock()
    history = History(clock)
    history.take(MINE, sample(clock), 2)
    history.keep_only([])

    assert () == samples(history)


def test_a_jump_of_the_clock_empties_memory() -> None:
    """Times from before and after cannot be compared; a slewed clock is no jump."""
    clock = ShiftedClock()
    history = History(clock)
    history.begin()
    history.take(MINE, sample(clock), 2)
    clock.offset = timedelta(seconds=20)
    slewed, kept = history.begin(), samples(history)
    clock.offset = timedelta(hours=-1)
    jumped, after = history.begin(), samples(history)

    assert (None, 1) == (slewed, len(kept))
    assert jumped is not None
    assert jumped < timedelta(minutes=-59)
    assert () == after


def test_a_resize_between_two_looks_is_noticed() -> None:
    """A claim that grew and is done again rests only since then."""
    clock = FakeClock()
    history = History(clock)
    before = history.usage(MINE, is_mounted=True).quiet_since
    pending = Quantities({"storage": "NodeResizePending"})
    status = replace(MINE.status, allocated_resource_statuses=pending)
    clock.seconds += 10
    history.changed(replace(MINE, status=status))
    clock.seconds += 10
    history.changed(MINE)
    after = history.usage(MINE, is_mounted=True).quiet_since

    assert before is not None
    assert clock.now() == after != before


def test_a_claim_that_nobody_asks_about_is_not_remembered() -> None:
    """Changes of all other claims in the cluster cost no memory."""
    history = History(FakeClock())
    history.changed(MINE)
    history.keep_only([("shop", "data-db-0")])

    assert () == samples(history)
