"""A TLS server that tells who asked."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from rso.kube.auth import Access
from rso.kube.transport import HttpTransport, Request
from tests.kube.certificates import Authority
from tests.kube.things import THINGS

GET = Request("get", THINGS, "default", "a", timeout_seconds=5)


class Server:
    """Tells who asked: the bearer token and the client certificate's common name."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.accepted: str | None = None  # the only token that is not answered with 401
        self.accepted_names: list[str] | None = None  # likewise
        self.refreshed: dict[str, str] = {}
        self.url = ""

    async def discover(self, _request: web.Request) -> web.Response:
        return web.json_response({"token_endpoint": f"{self.url}/refresh"})

    async def refresh(self, _request: web.Request) -> web.Response:
        return web.json_response(self.refreshed)

    async def answer(self, request: web.Request) -> web.Response:
        peer: dict[str, Any] = (
            request.transport and request.transport.get_extra_info("peercert")
        ) or {}
        names = [value for part in peer.get("subject", ()) for _, value in part]
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token != (self.accepted or token) or names != (self.accepted_names or names):
            return web.Response(status=401)
        return web.json_response({"token": token, "names": names})

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self.discover)
        app.router.add_post("/refresh", self.refresh)
        app.router.add_get("/{path:.*}", self.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self.authority.server_context())
        await site.start()
        self.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield
        finally:
            await runner.cleanup()


async def seen(access: Access, server: Server) -> tuple[str, list[str]]:
    """Return the token and the certificate names that the server saw."""
    transport = HttpTransport(access)
    try:
        found = await transport.send(GET)
    finally:
        await transport.close()
    assert found.status == 200, server.url
    body = json.loads(found.body)
    return body["token"], body["names"]
