"""Kubelets on loopback, each at an address of its own, that behave as a test wants."""

import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Kubelets:
    """What answers at each address; all listen on one port."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.seen: list[web.Request] = []
        self.port = 0

    def say(self, address: str, body: object) -> None:
        """Let an address answer with JSON, or with these bytes."""
        text = body if isinstance(body, bytes) else json.dumps(body, indent=1).encode()
        self.answer(address, lambda: web.Response(body=text, content_type="application/json"))

    def answer(self, address: str, make: Callable[[], web.StreamResponse]) -> None:
        """Let an address answer with what this makes."""

        async def answer(_: web.Request) -> web.StreamResponse:
            return make()

        self.answers[address] = answer

    @asynccontextmanager
    async def serve(self, contexts: dict[str, ssl.SSLContext]) -> AsyncIterator[None]:
        """Listen at these addresses."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        self.port = free_port()
        for address, context in contexts.items():
            await web.TCPSite(runner, address, self.port, ssl_context=context).start()
        try:
            yield
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        assert request.transport is not None
        address = request.transport.get_extra_info("sockname")[0]
        return await self.answers[address](request)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
