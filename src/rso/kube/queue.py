"""A work queue of keys for one event loop.

Each key is in it at most once, and no two workers ever hold the same key. A key that is added
while a worker holds it is handed out once more when that worker is done, so no change is missed.
Source: the rules of client-go's work queue.
"""

import asyncio
import heapq
import itertools
import random
from collections.abc import Hashable
from typing import Generic, TypeVar

from rso.kube.clock import Clock

K = TypeVar("K", bound=Hashable)

RETRY_FIRST_SECONDS = 0.5
RETRY_LONGEST_SECONDS = 300.0
RETRY_JITTER_RATIO = 0.25  # keys that failed together do not come back together


class QueueShutDown(Exception):
    """No key will be handed out any more."""


class WorkQueue(Generic[K]):
    """Keys that wait for a worker, now or later."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ready: asyncio.Queue[K | None] = asyncio.Queue()
        self._dirty: set[K] = set()
        self._held: set[K] = set()
        self._attempts: dict[K, int] = {}
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._order = itertools.count()
        self._timer: asyncio.Task[None] | None = None
        self._shut = False

    def __len__(self) -> int:
        """Return how many keys wait for a worker now."""
        return len(self._dirty - self._held)

    def add(self, key: K) -> None:
        """Queue a key, unless it waits already."""
        if self._shut or key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._held:
            self._ready.put_nowait(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Queue a key later; of several asks the earliest wins."""
        if seconds <= 0:
            self.add(key)
            return
        due = self._clock.monotonic() + seconds
        if self._shut or self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        heapq.heappush(self._heap, (due, next(self._order), key))
        if self._heap[0][2] is key:
            self._arm()

    def retry(self, key: K) -> None:
        """Queue a key after its own delay, 0.5 to 300 seconds, doubled by each attempt."""
        attempts = self._attempts.get(key, 0)
        self._attempts[key] = attempts + 1
        jitter = 1 + RETRY_JITTER_RATIO * random.random()  # noqa: S311  spreads load only
        delay = RETRY_FIRST_SECONDS * 2 ** min(attempts, 10) * jitter
        self.add_after(key, min(delay, RETRY_LONGEST_SECONDS))

    def forget(self, key: K) -> None:
        """Start the delays of this key from the first again."""
        self._attempts.pop(key, None)

    def attempts(self, key: K) -> int:
        """Return how many retries were asked for since the last success."""
        return self._attempts.get(key, 0)

    async def get(self) -> K:
        """Return the next key, which is held until ``done``.

        Raises: QueueShutDown.
        """
        key = await self._ready.get()
        if key is None or self._shut:
            self._ready.put_nowait(None)  # for the next worker
            raise QueueShutDown
        self._dirty.discard(key)
        self._held.add(key)
        return key

    def done(self, key: K) -> None:
        """Let go of a key."""
        self._held.discard(key)
        if key in self._dirty and not self._shut:
            self._ready.put_nowait(key)

    def shut_down(self) -> None:
        """Hand out no more keys; keys that are held may still be finished."""
        self._shut = True
        self._heap.clear()
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
        self._ready.put_nowait(None)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().create_task(self._wait())

    async def _wait(self) -> None:
        while self._heap:
            due, _, key = self._heap[0]
            if self._due.get(key) == due and due > self._clock.monotonic():
                await self._clock.sleep(due - self._clock.monotonic())
                continue
            heapq.heappop(self._heap)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)
