"""Several usage sources in order of trust."""

from collections.abc import Sequence
from datetime import timedelta

from rso.app.usage.source import Failure, Fault, InOrder, Key, Measured, Subject, Trouble, newest
from rso.core.usage import Sample
from tests.support.usage import TAKEN_AT, sample, subject

KEY = ("shop", "data-db-0")


class Told:
    """A source that knows what it was told."""

    def __init__(self, samples: dict[Key, Sample], *failures: Failure) -> None:
        self.measured = Measured(samples, failures)
        self.asked: list[list[str]] = []
        self.is_closed = False

    async def measure(self, subjects: Sequence[Subject]) -> Measured:
        self.asked.append([each.claim for each in subjects])
        return self.measured

    async def close(self) -> None:
        self.is_closed = True


async def test_the_next_source_is_asked_only_for_what_is_missing() -> None:
    """The first that has a sample is believed; all failures are told."""
    failure = Trouble(Fault.TIMED_OUT, "slow").at("kubelet", "node-1")
    first = Told({KEY: sample(0)}, failure)
    second = Told({("shop", "data-db-1"): sample(1)})
    third = Told({})

    found = await InOrder([first, second, third]).measure([subject(0), subject(1)])

    assert {KEY: sample(0), ("shop", "data-db-1"): sample(1)} == found.samples
    assert (failure,) == found.failures
    assert [["data-db-0", "data-db-1"]] == first.asked
    assert ([["data-db-1"]], []) == (second.asked, third.asked)


async def test_nothing_known_is_no_failure() -> None:
    """Claims that no source knows are not there."""
    found = await InOrder([Told({}), Told({})]).measure([subject(0)])

    assert Measured({}, ()) == found


async def test_all_sources_are_closed() -> None:
    """Closing the composition closes each of them."""
    sources = [Told({}), Told({})]

    await InOrder(sources).close()

    assert all(each.is_closed for each in sources)


def test_the_newest_reading_counts() -> None:
    """Whatever the order in which readings arrive."""
    old = sample(0, taken_at=TAKEN_AT - timedelta(minutes=1))
    new = sample(0)

    assert {KEY: new} == newest([(KEY, old), (KEY, new)]) == newest([(KEY, new), (KEY, old)])
