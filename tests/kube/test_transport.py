"""HTTP on real connections: what is sent, how often, and what a failure means."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from rso.kube.auth import Access, Anonymous
from rso.kube.errors import Gone, Unreachable
from rso.kube.transport import HttpTransport, Request
from tests.kube.things import THINGS

GET = Request("get", THINGS, "default", "a", query=(("a", "b c"),), timeout_seconds=5)
WRITES = [
    Request(verb, THINGS, "default", "a", body=b"{}", timeout_seconds=5)
    for verb in ("create", "update", "patch", "delete")
]
Handler = Callable[[web.Request], web.StreamResponse | None]


@dataclass
class Server:
    """Answers with a handler; None cuts the connection after the request was read."""

    handler: Handler = lambda _request: web.Response(body=b"{}")
    requests: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.read())
        self.requests.append(request)
        found = self.handler(request)
        if found is None and request.transport is not None:
            request.transport.abort()
        return found or web.Response()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


class Renewing(Anonymous):
    """Credentials that become good when renewed."""

    def __init__(self) -> None:
        super().__init__()
        self.token = "old"

    async def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def renew(self) -> bool:
        changed = self.token == "old"
        self.token = "new"
        return changed


@pytest.fixture
def server() -> Server:
    """Return a server that answers {}."""
    return Server()


@pytest.fixture
async def transport(server: Server) -> AsyncIterator[HttpTransport]:
    """Return a transport to that server."""
    async with server.serve() as url:
        transport = HttpTransport(Access(url, Renewing()))
        yield transport
        await transport.close()


@pytest.mark.parametrize(
    ("verb", "method", "path"),
    [
        ("get", "GET", "/things/a"),
        ("create", "POST", "/things"),
        ("update", "PUT", "/things/a"),
        ("patch", "PATCH", "/things/a"),
        ("delete", "DELETE", "/things/a"),
    ],
)
async def test_methods(
    server: Server, transport: HttpTransport, verb: str, method: str, path: str
) -> None:
    """Each verb has its method and path; body and content type arrive."""
    await transport.send(Request(verb, THINGS, None, "a", body=b"[1]", content_type="x/y"))

    request = server.requests[0]
    assert (request.method, request.path) == (method, "/apis/example.org/v1" + path)
    assert (request.headers["Content-Type"], server.bodies[0]) == ("x/y", b"[1]")


async def test_query_is_encoded(server: Server, transport: HttpTransport) -> None:
    """A query arrives as it was meant."""
    await transport.send(GET)

    assert server.requests[0].query["a"] == "b c"


async def test_prefix(server: Server) -> None:
    """A server under a path of its own, as behind a proxy, is reached there."""
    async with server.serve() as url:
        transport = HttpTransport(Access(url + "/k8s/clusters/c-1", Anonymous()))
        await transport.send(GET)
        await transport.close()

    assert server.requests[0].path == "/k8s/clusters/c-1" + GET.target().partition("?")[0]


async def test_answer(server: Server, transport: HttpTransport) -> None:
    """Status, body and headers come back; headers without regard to case."""
    server.handler = lambda _request: web.Response(status=418, body=b"tea", headers={"X-Pot": "1"})
    found = await transport.send(GET)

    assert (found.status, found.body, found.headers["x-pot"]) == (418, b"tea", "1")


@pytest.mark.parametrize("request_", WRITES, ids=lambda request: request.verb)
async def test_cut_write_is_sent_once(
    server: Server, transport: HttpTransport, request_: Request
) -> None:
    """A write on a kept connection that breaks is not sent again, and may have been executed."""
    await transport.send(GET)  # now there is a kept connection
    server.handler = lambda _request: None
    with pytest.raises(Unreachable) as caught:
        await transport.send(request_)

    assert caught.value.sent
    assert len(server.requests) == 2


async def test_refused_connection() -> None:
    """A server that is not there surely never saw the request."""
    transport = HttpTransport(Access("http://127.0.0.1:1", Anonymous()))
    with pytest.raises(Unreachable) as caught:
        await transport.send(WRITES[0])
    await transport.close()

    assert not caught.value.sent


async def test_no_answer_in_time(server: Server) -> None:
    """A server that does not answer in time may have executed the request."""

    async def hang(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError(request)

    server.answer = hang  # type: ignore[method-assign]  # this server hangs
    async with server.serve() as url:
        transport = HttpTransport(Access(url, Anonymous()))
        with pytest.raises(Unreachable) as caught:
            await transport.send(Request("get", THINGS, timeout_seconds=0.05))
        await transport.close()

    assert caught.value.sent


async def test_unauthorized_renews_once(server: Server, transport: HttpTransport) -> None:
    """A 401 makes the credentials be read again and the request be sent once more."""
    server.handler = lambda request: web.Response(
        status=200 if request.headers["Authorization"] == "Bearer new" else 401
    )
    found = await transport.send(WRITES[2])

    assert (found.status, len(server.requests)) == (200, 2)


async def test_unauthorized_stays(server: Server, transport: HttpTransport) -> None:
    """A 401 that stays is answered as such after one more try, then at once."""
    server.handler = lambda _request: web.Response(status=401)
    first = await transport.send(GET)
    second = await transport.send(GET)

    assert (first.status, second.status, len(server.requests)) == (401, 401, 3)


async def test_redirects_are_not_followed(server: Server, transport: HttpTransport) -> None:
    """A token never follows a redirect."""
    server.handler = lambda _request: web.Response(status=307, headers={"Location": "/other"})
    found = await transport.send(GET)

    assert (found.status, len(server.requests)) == (307, 1)


async def test_stream_refused(server: Server, transport: HttpTransport) -> None:
    """A watch that is refused raises what the answer means."""
    server.handler = lambda _request: web.json_response({"code": 410}, status=410)
    with pytest.raises(Gone):
        async with transport.stream(Request("watch", THINGS)):
            raise AssertionError


async def test_stream_cut(server: Server) -> None:
    """A watch that is cut gives what came and then is Unreachable."""

    async def cut(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"one\n")
        await asyncio.sleep(0)
        assert request.transport is not None
        request.transport.close()
        return answer

    server.answer = cut  # type: ignore[method-assign]  # this server cuts
    chunks: list[bytes] = []
    async with server.serve() as url:
        transport = HttpTransport(Access(url, Anonymous()))
        with pytest.raises(Unreachable):
            await _read(transport, chunks)
        await transport.close()

    assert chunks == [b"one\n"]


async def _read(transport: HttpTransport, chunks: list[bytes]) -> None:
    async with transport.stream(Request("watch", THINGS)) as stream:
        async for chunk in stream:
            chunks.append(chunk)  # noqa: PERF401  kept although the stream fails
