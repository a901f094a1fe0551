"""One pass of a source over many places: some at a time, and all within one time.

Who did not answer in time in the last pass is asked last in the next: a hundred dead nodes must
not take the time of those that live.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

from rso.app.usage.source import Failure, Fault, Trouble
from rso.kube.clock import Clock

PASS_SECONDS = 45.0  # less than the usual interval between two looks

Place = TypeVar("Place")


class Late:
    """The names of those that did not answer in time in the last pass."""

    def __init__(self) -> None:
        self._names: frozenset[str] = frozenset()

    def last(self, places: Iterable[Place], name: Callable[[Place], str]) -> list[Place]:
        """Return the places in the same order, but those that were late behind all others."""
        return sorted(places, key=lambda each: name(each) in self._names)

    def learn(self, failures: Iterable[Failure]) -> None:
        """Remember who was late in a pass that has ended."""
        slow = (Fault.TIMED_OUT, Fault.UNREACHABLE)
        self._names = frozenset(each.place for each in failures if each.fault in slow)


class Round:
    """The time of one pass, in seconds, and how many are asked at once."""

    def __init__(self, clock: Clock, parallel: int, seconds: float) -> None:
        self._clock = clock
        self._slots = asyncio.Semaphore(parallel)
        self._seconds = seconds
        self._ends_at = clock.monotonic() + seconds

    @asynccontextmanager
    async def turn(self, seconds: float) -> AsyncIterator[float]:
        """Yield how many seconds one place has, at most these, when it is its turn.

        Raises: Trouble, when the time of the pass is over.
        """
        async with self._slots:
            left = self._ends_at - self._clock.monotonic()
            if left <= 0:
                sentence = f"the {self._seconds:g} s of one look were over before it was asked"
                raise Trouble(Fault.NOT_ASKED, sentence)
            yield min(seconds, left)
