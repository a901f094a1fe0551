"""An API server with one kind of things, whose watches can be made to fail in eight ways.

It is HTTP on loopback, so that real connections are cut. It keeps a history of changes like the
real one: a watch continues from a version, or gets 410 when that was forgotten.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.kube.things import thing

PATH = "/apis/example.org/v1/things"
COLLECTION = "/apis/example.org/v1/namespaces/{namespace}/things"


@dataclass(frozen=True)
class Seen:
    """A request, and when, by the clock of the test."""

    at: float
    verb: str
    query: dict[str, str]


class ApiServer:
    """Things, their history, and switches for faults."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.seen: list[Seen] = []
        self.objects: dict[str, dict[str, Any]] = {}
        self.version = 10
        self.oldest = 0  # versions before it are forgotten
        self.page = 500
        self.watch_status = 200  # S6, S7
        self.list_status = 200
        self.close_at_once = False  # S8
        self.is_away = False  # S5
        self.silent = False
        self.expire_continue = 0  # so many continue tokens are refused
        self._monotonic = monotonic
        self._history: list[tuple[int, str, dict[str, Any]]] = []
        self._changed = asyncio.Event()
        self._connections: set[asyncio.Transport] = set()
        self._orders: list[bytes] = []

    def put(self, name: str, uid: str = "", *, size: object = 1) -> None:
        """Add or change a thing."""
        self.version += 1
        kind = "MODIFIED" if name in self.objects else "ADDED"
        self.objects[name] = thing(name, uid, self.version, size=size)
        self._record(kind, self.objects[name])

    def remove(self, name: str) -> None:
        """Delete a thing."""
        self.version += 1
        gone = self.objects.pop(name)
        gone["metadata"]["resourceVersion"] = str(self.version)
        self._record("DELETED", gone)

    def forget(self) -> None:
        """Compact: no older version can be watched any more."""
        self.oldest = self.version

    def end_watches(self, last: bytes = b"") -> None:
        """Close every watch, after some last bytes (S1, S3, S4)."""
        self._orders.append(last)
        self._wake()

    def reset_watches(self) -> None:
        """Cut every connection with a TCP reset (S2)."""
        for connection in list(self._connections):
            connection.abort()

    def requests(self, verb: str) -> list[Seen]:
        """Return the requests of a verb."""
        return [seen for seen in self.seen if seen.verb == verb]

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Listen on loopback and return the URL."""
        app = web.Application()
        app.router.add_get(PATH, self._get)
        app.router.add_get(COLLECTION, self._get)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            self.end_watches()
            await runner.cleanup()

    async def _get(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        verb = "watch" if "watch" in query else "list"
        self.seen.append(Seen(self._monotonic(), verb, query))
        if self.is_away and request.transport is not None:
            request.transport.abort()
            return web.Response()
        return await (self._watch(request, query) if verb == "watch" else self._list(query))

    async def _list(self, query: dict[str, str]) -> web.StreamResponse:
        if self.list_status != 200:
            return _status(self.list_status)
        token = query.get("continue", "")
        if token and self.expire_continue:
            self.expire_continue -= 1
            return _status(410)
        names = sorted(self.objects)
        start = int(token or 0)
        size = min(self.page, int(query["limit"]))
        metadata = {"resourceVersion": str(self.version)}
        if start + size < len(names):
            metadata["continue"] = str(start + size)
        items = [self.objects[name] for name in names[start : start + size]]
        return web.json_response({"kind": "ThingList", "metadata": metadata, "items": items})

    async def _watch(self, request: web.Request, query: dict[str, str]) -> web.StreamResponse:
        if self.watch_status != 200:
            return _status(self.watch_status)
        orders = len(self._orders)
        answer = web.StreamResponse()
        await answer.prepare(request)
        if self.close_at_once:
            return answer
        if request.transport is not None:
            self._connections.add(request.transport)
        await self._send_changes(answer, int(query["resourceVersion"]), orders)
        return answer

    async def _send_changes(self, answer: web.StreamResponse, version: int, orders: int) -> None:
        if version < self.oldest:
            await answer.write(expired())
            return
        while True:
            changed = self._changed
            for at, kind, item in self._since(version):
                await answer.write(event(kind, item))
                version = at
            if len(self._orders) > orders:
                await answer.write(self._orders[orders])
                return
            await changed.wait()

    def _since(self, version: int) -> Iterator[tuple[int, str, dict[str, Any]]]:
        if not self.silent:
            yield from [change for change in self._history if change[0] > version]

    def _record(self, kind: str, item: dict[str, Any]) -> None:
        self._history.append((self.version, kind, json.loads(json.dumps(item))))
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def event(kind: str, item: object) -> bytes:
    """Return a line of a watch."""
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


def expired() -> bytes:
    """Return the line that ends a watch from a forgotten version (S3)."""
    return event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"})


def failed() -> bytes:
    """Return the line of a server that failed in a watch (S4)."""
    return event("ERROR", {"kind": "Status", "code": 500, "reason": "InternalError"})


def _status(code: int) -> web.Response:
    return web.json_response({"kind": "Status", "code": code}, status=code)
