"""Connections that are given only so long: who opens one and says nothing is closed.

aiohttp limits the rest between two requests and the size of a request. What it leaves open is the
time that a request may take to arrive, from the first connection on.
"""

import asyncio
from collections.abc import Callable
from typing import cast

REQUEST_SECONDS = 15.0  # three times what the API server waits for an answer
# An API server keeps a few. Each costs 60 KiB, and some hundred while it sends a large body.
MOST_CONNECTIONS = 500


class Connections:
    """The open connections of a server; `inner` makes the protocol of each."""

    def __init__(self, inner: Callable[[], asyncio.Protocol]) -> None:
        self._inner = inner
        self._guards: dict[asyncio.BaseTransport, _Guard] = {}

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of a new connection, as asyncio's servers ask for it."""
        return _Guard(self._inner(), self._guards)

    def answered(self, transport: asyncio.BaseTransport | None) -> None:
        """Note that a request has its answer: its connection may rest until the next one begins."""
        guard = self._guards.get(transport) if transport else None
        if guard:
            guard.rest()


class _Guard(asyncio.Protocol):
    """Passes everything on to another protocol, and ends the connection when time is up."""

    def __init__(
        self, inner: asyncio.Protocol, guards: "dict[asyncio.BaseTransport, _Guard]"
    ) -> None:
        self._inner = inner
        self._guards = guards
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._guards[transport] = self
        self._inner.connection_made(transport)
        self._start()
        if len(self._guards) > MOST_CONNECTIONS:
            self._end()

    def data_received(self, data: bytes) -> None:
        if self._timer is None:
            self._start()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self.rest()
        if self._transport is not None:
            self._guards.pop(self._transport, None)
        self._inner.connection_lost(exc)

    def rest(self) -> None:
        """Let the connection be quiet."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(REQUEST_SECONDS, self._end)

    def _end(self) -> None:
        if self._transport is not None:
            self._transport.abort()
