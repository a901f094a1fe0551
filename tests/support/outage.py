"""A transport that loses what an operator sends about its Lease, while all else arrives."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from rso.kube.errors import Unreachable
from rso.kube.transport import Request, Response, Transport
from tests.support.faults import Point, write_name


class LeaseOutage:
    """Begins at a write: from then on the Lease is out of reach, and that write is under way.

    The write leaves when a test calls `release`, unless the operator has given it up by then.
    `written` are the changes that left for the API server, Events and the Lease aside.
    """

    def __init__(self, transport: Transport, point: Point) -> None:
        self.begun = threading.Event()
        self.written: list[str] = []
        self._transport = transport
        self._point = point
        self._loop: asyncio.AbstractEventLoop | None = None
        self._released = asyncio.Event()

    async def send(self, request: Request) -> Response:
        """Send, hold or lose a request."""
        plural = request.resource.plural
        if plural == "leases" and self.begun.is_set():
            raise Unreachable("lost on the way", sent=False)
        is_work = request.changes and plural not in ("leases", "events")
        if is_work and write_name(request) == self._point.write and not self.begun.is_set():
            await self._hold()
        if is_work:
            self.written.append(f"{write_name(request)} of {request.name}")
        return await self._transport.send(request)

    def stream(self, request: Request) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open a watch."""
        return self._transport.stream(request)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    def release(self) -> None:
        """Let the write that is held leave."""
        assert self._loop is not None, "nothing is held"
        with contextlib.suppress(RuntimeError):  # its operator has ended, and the loop with it
            self._loop.call_soon_threadsafe(self._released.set)

    async def _hold(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.begun.set()
        await self._released.wait()
