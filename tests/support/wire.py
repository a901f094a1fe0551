"""The transport of a test: narrows and records what an operator sends; a test may interfere."""

import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from rso.kube.transport import Request, Response, Transport

_NARROWED = ("statefulsets", "persistentvolumeclaims", "pods")
_BACKGROUND = ("leases", "events")


class Crash(BaseException):
    """The end of an operator's process; no `except Exception` may swallow it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sent:
    """One request as the server answered it; status None: no answer came.

    `answer` is kept for changing requests only.
    """

    request: Request
    status: int | None
    answer: bytes = b""

    @property
    def is_accepted(self) -> bool:
        """Whether the server did what the request asks."""
        return self.status is not None and self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def words(self) -> str:
        """The request in short: `patch statefulsets app/db`."""
        request = self.request
        return f"{request.verb} {request.resource.plural} {request.namespace}/{request.name}"


def deletes_set(request: Request) -> bool:
    """Return whether a request really deletes a StatefulSet: the proof also asks for it, dry."""
    is_delete = request.verb == "delete" and request.resource.plural == "statefulsets"
    return is_delete and request.changes


class Wire:
    """The transport of a test: narrows, records, and lets a test interfere.

    `before(request)` and `after(request, response)` may raise `Crash`, which kills the operator,
    or another error, which is then this request's. `rewrite` may send another request instead, as
    an operator with a bug would. `transport` may be exchanged for a worse one before the start.
    """

    rewrite: Callable[[Request], Request] | None = None

    def __init__(
        self,
        transport: Transport,
        namespace: str,
        before: Callable[[Request], None] | None = None,
        after: Callable[[Request, Response], None] | None = None,
    ) -> None:
        self.sent: list[Sent] = []
        self.is_dead = False
        self.transport = transport
        self._namespace = namespace
        self._before = before
        self._after = after

    async def send(self, request: Request) -> Response:
        """Send a request, unless the operator is dead."""
        request = self._narrowed(request)
        status: int | None = None
        answer = b""
        try:
            self._alive()
            if self._before:
                self._before(request)
            if self.rewrite:
                request = self.rewrite(request)
            response = await self.transport.send(request)
            status = response.status
            answer = response.body if request.changes else b""
            self._alive()
            if self._after:
                self._after(request, response)
        except Crash:
            self.is_dead = True
            raise
        finally:
            self.sent.append(Sent(request, status, answer))
        return response

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a watch, unless the operator is dead."""
        self._alive()
        self.sent.append(Sent(self._narrowed(request), 200))
        async with self.transport.stream(self._narrowed(request)) as chunks:
            yield chunks

    async def close(self) -> None:
        """Close the connections."""
        await self.transport.close()

    def changes(self) -> list[Sent]:
        """Return the changing requests that the server accepted, but Lease and Events."""
        return [
            sent
            for sent in self.sent
            if sent.request.changes
            and sent.request.resource.plural not in _BACKGROUND
            and sent.is_accepted
        ]

    def _alive(self) -> None:
        if self.is_dead:
            raise Crash

    def _narrowed(self, request: Request) -> Request:
        if request.namespace is None and request.resource.plural in _NARROWED:
            return dataclasses.replace(request, namespace=self._namespace)
        return request
