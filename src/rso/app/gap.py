"""The time between a set's DELETE and its CREATE: when to look again, and when it has gone."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable

from rso.app import resources
from rso.core.model import StatefulSet
from rso.core.names import FOREGROUND
from rso.core.world import Key
from rso.kube.client import Client
from rso.kube.clock import Clock
from rso.kube.errors import Conflict, KubeError, NotFound

FIRST_POLL_SECONDS = 0.005
EVEN_POLLS = 20
LONGEST_POLL_SECONDS = 1.0
# How long the watch may be behind the poll: it knows how the set went. Milliseconds, as a rule.
WATCH_SECONDS = 0.5

# Returns a set as it last was, when the watch has shown that its uid is gone; None: not known.
WaitGone = Callable[[Key, str], Awaitable[StatefulSet | None]]


class DeletedByUser(Conflict):
    """We orphan; whoever wants a set's Pods gone first has deleted it for good."""


class Gap:
    """Waits in the gap."""

    def __init__(self, client: Client, clock: Clock, wait_gone: WaitGone) -> None:
        self._client = client
        self._clock = clock
        self._wait_gone = wait_gone

    async def gone(self, key: Key, uid: str) -> None:
        """Return when the set has gone, told by the watch or by the poll beside it.

        Raises: DeletedByUser, when its user deletes it meanwhile, its Pods first. A deletion of
        which the poll has seen nothing shows in the watch: the set bears the finalizer to its end.
        """
        watch = asyncio.ensure_future(self._wait_gone(key, uid))
        poll = asyncio.ensure_future(self._poll_gone(key, uid))
        try:
            await asyncio.wait({watch, poll}, return_when=asyncio.FIRST_COMPLETED)
            if not poll.done() or poll.exception() is None:
                await asyncio.wait({watch}, timeout=WATCH_SECONDS)
        finally:
            watch.cancel()
            poll.cancel()
            ends = await asyncio.gather(watch, poll, return_exceptions=True)
        last = ends[0]
        if isinstance(last, StatefulSet) and FOREGROUND in last.metadata.finalizers:
            raise DeletedByUser(409, "Conflict", "the set is deleted by its user")
        if isinstance(ends[1], DeletedByUser):
            raise ends[1]

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
            except KubeError:
                continue
            if found.metadata.uid != uid:
                return
            if FOREGROUND in found.metadata.finalizers:
                raise DeletedByUser(409, "Conflict", "the set is deleted by its user")
