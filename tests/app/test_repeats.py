"""A step that does not succeed is tried ever more seldom."""

import pytest

from rso.app.repeats import FIRST_SECONDS, FREE_TIMES, LONGEST_SECONDS, Repeats
from rso.core.actions import GrowClaim, SaveBackup
from rso.core.world import Key
from tests.kube.clock import FakeClock

DB = Key("app", "db")
SAVE = SaveBackup("uid-1", {"data": "2Gi"})


def pauses(repeats: Repeats, clock: FakeClock, times: int, **longest: float) -> list[float]:
    """Return the pause after each of so many tries, each made as soon as it may be."""
    found = []
    for _ in range(times):
        repeats.add(DB, SAVE, **longest)
        found.append(repeats.remaining(DB, SAVE))
        clock.seconds += found[-1]
    return found


def test_a_few_tries_are_free_and_then_each_pause_is_twice_as_long() -> None:
    """Conflicts that end soon cost no time; a step that never succeeds costs little else."""
    clock = FakeClock()

    found = pauses(Repeats(clock), clock, 14)

    free, paused = found[: FREE_TIMES - 1], found[FREE_TIMES - 1 :]
    assert [0.0] * (FREE_TIMES - 1) == free
    assert paused[:4] == pytest.approx([FIRST_SECONDS * each for each in (1, 2, 4, 8)])
    assert paused[-1] == pytest.approx(LONGEST_SECONDS)


def test_a_set_that_is_away_never_waits_longer_than_told() -> None:
    """The longest pause may be shorter than that of others."""
    clock = FakeClock()

    assert 5.0 == pytest.approx(max(pauses(Repeats(clock), clock, 20, longest_seconds=5.0)))


def test_steps_are_told_apart_by_all_that_they_say() -> None:
    """Another size, another claim or another set has tries of its own; the end of one forgets."""
    clock = FakeClock()
    repeats = Repeats(clock)
    pauses(repeats, clock, 3)
    repeats.add(DB, SAVE)
    assert 5 == repeats.add(DB, SaveBackup("uid-1", {"data": "2Gi"}))

    others = [
        repeats.remaining(DB, SaveBackup("uid-1", {"data": "3Gi"})),
        repeats.remaining(DB, GrowClaim("data-db-0", "1", "1Gi", "2Gi")),
        repeats.remaining(Key("app", "web"), SAVE),
    ]
    assert [0.0, 0.0, 0.0] == others
    assert repeats.remaining(DB, SAVE) > 0

    repeats.end(DB)

    assert 0.0 == repeats.remaining(DB, SAVE)
    assert 1 == repeats.add(DB, SAVE)
