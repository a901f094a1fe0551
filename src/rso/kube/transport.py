"""One HTTP request to the API server, and nothing on top of it.

Everything that reaches the server goes through a ``Transport``: what stands above can be watched,
delayed or cut here. ``HttpTransport`` sends each request once; only a 401, which the server
surely did not execute, is sent again, with credentials that were read again.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    aclosing,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass
from io import BytesIO
from typing import Protocol
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from rso.kube import errors
from rso.kube.auth import Access
from rso.kube.errors import Unreachable

CONNECT_SECONDS = 10.0  # a server that takes longer to accept is away
READ_SECONDS = 30.0
METHODS = {
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
}
WRITES = frozenset({"create", "update", "patch", "delete"})
DRY_RUN = ("dryRun", "All")


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object as RBAC names it; ``group`` is empty for the core group.

    A subresource follows ``plural`` after a slash: ``pods/eviction``.
    """

    group: str
    version: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """Return the path of one object, or of the collection without a name.

        Without a namespace it is the collection of the whole cluster.
        """
        parts = ["apis", self.group] if self.group else ["api"]
        parts.append(self.version)
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        plural, _, subresource = self.plural.partition("/")
        parts.append(plural)
        if name:
            parts.append(name)
        if subresource:
            parts.append(subresource)
        return "/" + "/".join(quote(part, safe="") for part in parts)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as a fault, a metric or an audit wants to see it.

    ``verb`` is Kubernetes' word: get, list, watch, create, update, patch or delete.
    ``timeout_seconds`` bounds the whole answer; for a watch, the silence between two chunks.
    """

    verb: str
    resource: Resource
    namespace: str | None = None
    name: str | None = None
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    content_type: str = "application/json"
    timeout_seconds: float = READ_SECONDS

    @property
    def changes(self) -> bool:
        """Whether the server would store something."""
        return self.verb in WRITES and DRY_RUN not in self.query

    def target(self) -> str:
        """Return path and query, encoded."""
        is_named = self.verb != "create" or "/" in self.resource.plural
        name = self.name if is_named else None
        path = self.resource.path(self.namespace, name)
        return f"{path}?{urlencode(self.query)}" if self.query else path


@dataclass(frozen=True, slots=True)
class Response:
    """The server's answer; ``headers`` are looked up without regard to case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """The port to the API server."""

    async def send(self, request: Request) -> Response:
        """Return the answer, whatever its status.

        Raises: Unreachable, when no whole answer came.
        """
        ...

    def stream(self, request: Request) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Return the chunks of a watch, split anywhere.

        Raises: ApiError, when the answer is not 200; Unreachable, on entering or while reading.
        """
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class HttpTransport:
    """HTTP/1.1 over connections that are kept open."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: Request) -> Response:
        """Send a request once."""
        limits = aiohttp.ClientTimeout(total=request.timeout_seconds, connect=CONNECT_SECONDS)
        async with self._open(request, limits) as answer:
            with _translated():
                return Response(answer.status, answer.headers, await answer.read())

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a watch."""
        limits = aiohttp.ClientTimeout(
            total=None, connect=CONNECT_SECONDS, sock_read=request.timeout_seconds
        )
        async with self._open(request, limits) as answer:
            if answer.status != 200:  # noqa: PLR2004  a watch has one good answer
                with _translated():
                    body = await answer.read()
                raise errors.from_answer(answer.status, answer.headers, body)
            async with aclosing(_chunks(answer)) as chunks:
                yield chunks

    async def close(self) -> None:
        """Close all connections; running requests fail."""
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def _open(
        self, request: Request, limits: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        answer = await self._request(request, limits)
        if answer.status == 401 and await self._access.credentials.renew():  # noqa: PLR2004
            answer.release()
            answer = await self._request(request, limits)
        async with answer:
            yield answer

    async def _request(
        self, request: Request, limits: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        headers = dict(await self._access.credentials.headers())
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        with _translated():
            return await self._connections().request(
                METHODS[request.verb],
                URL(self._access.server + request.target(), encoded=True),
                # a stream, since aiohttp warns of bytes above 1 MiB, and a set may be as large
                data=None if request.body is None else BytesIO(request.body),
                headers=headers,
                timeout=limits,
                ssl=self._access.credentials.ssl_context or True,
                server_hostname=self._access.tls_server_name,
                proxy=self._access.proxy,
                allow_redirects=False,  # a token is for this server only
            )

    def _connections(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),  # a watch holds its connection for ever
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept": "application/json", "User-Agent": self._access.user_agent},
            )
            # aiohttp repeats PUT and DELETE by itself when a kept connection breaks; a write must
            # never be sent twice, and there is no public switch.
            self._session._retry_connection = False  # noqa: SLF001  as said above
        return self._session


async def _chunks(answer: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    with _translated():
        async for chunk in answer.content.iter_any():
            yield chunk


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except _NEVER_SENT as error:
        raise Unreachable(f"{type(error).__name__}: {error}", sent=False) from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unreachable(f"{type(error).__name__}: {error}", sent=True) from error


_NEVER_SENT = (
    aiohttp.ClientConnectorError,  # DNS, refused, TLS
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
)
