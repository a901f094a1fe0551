"""Counts every request on its way to the API server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rso.app.meters import Meters
from rso.kube.clock import Clock
from rso.kube.errors import ApiError, KubeError
from rso.kube.transport import Request, Response, Transport


class MeteredTransport:
    """A transport that tells the metrics verb, resource, code and seconds of each request."""

    def __init__(self, transport: Transport, metrics: Meters, clock: Clock) -> None:
        self._transport = transport
        self._metrics = metrics
        self._clock = clock

    async def send(self, request: Request) -> Response:
        """Send a request and count its answer."""
        started = self._clock.monotonic()
        try:
            response = await self._transport.send(request)
        except KubeError:
            self._count(request, None, started)
            raise
        self._count(request, response.status, started)
        return response

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a watch and count how it began."""
        started = self._clock.monotonic()
        self._metrics.watch_restarted(request.resource.plural)
        try:
            async with self._transport.stream(request) as chunks:
                self._count(request, 200, started)
                yield chunks
        except ApiError as error:
            self._count(request, error.code, started)
            raise

    async def close(self) -> None:
        """Close the transport below."""
        await self._transport.close()

    def _count(self, request: Request, status: int | None, started: float) -> None:
        seconds = self._clock.monotonic() - started
        self._metrics.requested(request.verb, request.resource.plural, status, seconds)
