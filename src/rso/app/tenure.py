"""How a part lives: caches in the background, work while it leads, an orderly end."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from rso.kube.clock import cancel
from rso.kube.lease import Lease

SILENT_SECONDS = 600.0  # no informer hears nothing for that long: bookmarks come each minute

Work = Callable[[], Awaitable[None]]


class Tenure:
    """Runs the work of a part while it holds the Lease, or always without an election."""

    def __init__(self, lease: Lease, *, elects: bool) -> None:
        self._lease = lease
        self._elects = elects
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let it end in order: the work is told by `stopped`."""
        self._stopping.set()

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    async def stopped(self) -> None:
        """Return when it is to end."""
        await self._stopping.wait()

    def may_write(self) -> bool:
        """Return whether this process is the one that changes the cluster."""
        return not self._elects or self._lease.is_held()

    async def run(
        self, synced: Work, work: Work, background: Sequence[Coroutine[Any, Any, None]]
    ) -> None:
        """Run until stopped: the background at once, the work when synced and leading.

        Raises: LeaseLost, and whatever the work or the background raises.
        """
        tasks = [asyncio.ensure_future(each) for each in background]
        leading = asyncio.ensure_future(self._hold(synced, work))
        try:
            await self._until_ended(leading, tasks)
        finally:
            await cancel(leading, *tasks)

    async def _until_ended(
        self, leading: asyncio.Future[None], background: Sequence[asyncio.Future[None]]
    ) -> None:
        stopping = asyncio.ensure_future(self.stopped())
        await asyncio.wait({leading, stopping, *background}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if self.is_stopping and self.may_write():
            await leading
        for task in (leading, *background):
            if task.done():
                task.result()

    async def _hold(self, synced: Work, work: Work) -> None:
        complete, stopping = (asyncio.ensure_future(each()) for each in (synced, self.stopped))
        try:
            await asyncio.wait({complete, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not complete.done():
                return
        finally:
            complete.cancel()
            stopping.cancel()
        await (self._lease.hold(work) if self._elects else work())


def silence(seconds: float) -> str | None:
    """Return why a part that has heard nothing for so long should be started again."""
    return f"no word from the API server for {seconds:.0f} s" if seconds > SILENT_SECONDS else None
