"""A clock whose time passes only when a test says so, and waiting for a condition."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

START = datetime(2026, 1, 1, tzinfo=UTC)
DEADLINE_SECONDS = 10.0  # real ones; a condition of these tests comes true in milliseconds
POLL_SECONDS = 0.001
IDLE_SECONDS = 0.01  # after this long without the condition, time may jump


class FakeClock:
    """Time as a test input; sleepers wake in the order of their times."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.seconds + seconds, next(self._order), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Let time pass, waking each sleeper at its own time and letting it run."""
        end = self.seconds + seconds
        await settle()
        while self._next() <= end:
            self.jump()
            await settle()
        self.seconds = end

    def jump(self) -> None:
        """Go to the time of the next sleeper, if there is one."""
        if self._next() == float("inf"):
            return
        due, _, woken = heapq.heappop(self._sleepers)
        self.seconds = max(self.seconds, due)
        woken.set_result(None)

    @property
    def sleepers(self) -> int:
        """How many wait for a time to come."""
        return sum(not woken.done() for _, _, woken in self._sleepers)

    def _next(self) -> float:
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)  # cancelled
        return self._sleepers[0][0] if self._sleepers else float("inf")


async def settle() -> None:
    """Let every task run until all wait for something else than each other."""
    for _ in range(50):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object], clock: FakeClock | None = None) -> None:
    """Return once the condition holds; with a clock, time jumps whenever nothing happens.

    Raises: TimeoutError, after ten real seconds.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    idle_since = time.monotonic()
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the condition never held")
        if clock is not None and time.monotonic() - idle_since > IDLE_SECONDS:
            clock.jump()
            idle_since = time.monotonic()
        await asyncio.sleep(POLL_SECONDS)


async def jumping(clock: FakeClock, answer: Coroutine[Any, Any, T]) -> T:
    """Return the answer while time jumps whenever it waits."""
    running = asyncio.ensure_future(answer)
    await until(running.done, clock)
    return await running
