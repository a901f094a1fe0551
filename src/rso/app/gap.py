"""The time between a set's DELETE and its CREATE: when to look again, and when it has gone."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable

from rso.app import resources
from rso.core.world import Key
from rso.kube.client import Client
from rso.kube.clock import Clock
from rso.kube.errors import Conflict, NotFound

FIRST_POLL_SECONDS = 0.005
EVEN_POLLS = 20
LONGEST_POLL_SECONDS = 1.0


class DeletedByUser(Conflict):
    """We orphan; whoever wants a set's Pods gone first has deleted it for good."""


class Gap:
    """Waits in the gap. `wait_gone` returns when the watch has shown that a uid is gone."""

    def __init__(
        self, client: Client, clock: Clock, wait_gone: Callable[[Key, str], Awaitable[None]]
    ) -> None:
        self._client = client
        self._clock = clock
        self._wait_gone = wait_gone

    async def gone(self, key: Key, uid: str) -> None:
        """Return when the set has gone, told by the watch or by the poll beside it.

        Raises: DeletedByUser, when its user deletes it meanwhile, its Pods first.
        """
        watch = asyncio.ensure_future(self._wait_gone(key, uid))
        poll = asyncio.ensure_future(self._poll_gone(key, uid))
        try:
            await asyncio.wait({watch, poll}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            watch.cancel()
            poll.cancel()
            await asyncio.gather(watch, poll, return_exceptions=True)
        if not poll.cancelled() and isinstance(poll.exception(), DeletedByUser):
            poll.result()

    async def looks(self) -> AsyncIterator[None]:
        """Yield at once, then every 5 ms twenty times, then after pauses that grow to a second."""
        pause = FIRST_POLL_SECONDS
        for count in itertools.count():
            yield
            await self._clock.sleep(pause)
            if count >= EVEN_POLLS:
                pause = min(pause * 2, LONGEST_POLL_SECONDS)

    async def _poll_gone(self, key: Key, uid: str) -> None:
        async for _ in self.looks():
            try:
                found = await self._client.get(resources.STATEFULSETS, *key)
            except NotFound:
                return
            if found.metadata.uid != uid:
                return
            if "foregroundDeletion" in found.metadata.finalizers:
                raise DeletedByUser(409, "Conflict", "the set is deleted by its user")
