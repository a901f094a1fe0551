"""The HTTP server for the kubelet and for Prometheus: /healthz, /readyz, /metrics.

Alive and ready are two questions: an operator that waits for the Lease is both, one that has not
yet seen the cluster is alive only, and one whose watches are stuck is to be started again.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from rso.app.settings import Address

Check = Callable[[], str | None]

_STOP_SECONDS = 1.0  # a scrape that still runs; longer would delay giving the Lease back


class Rendered(Protocol):
    """What can be read by Prometheus."""

    def render(self) -> bytes:
        """Return all series in the text format."""
        ...


class CannotListen(Exception):
    """The address is taken or not ours. Its text names it."""


class Probes:
    """Serves probes and metrics while it runs.

    `ready` and `healthy` return None, or what is missing, in words that may be seen by anyone who
    reaches the address. Without a `bind` nothing listens.
    """

    def __init__(
        self, bind: Address | None, metrics: Rendered, ready: Check, healthy: Check
    ) -> None:
        self._bind = bind
        app = web.Application()
        app.router.add_get("/healthz", _answer_to(healthy))
        app.router.add_get("/readyz", _answer_to(ready))
        app.router.add_get("/metrics", _page_of(metrics))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_STOP_SECONDS)

    @property
    def address(self) -> Address | None:
        """Where it listens, with the port that was chosen for port 0; None when it does not."""
        addresses = self._runner.addresses
        return (addresses[0][0], addresses[0][1]) if addresses else None

    async def start(self) -> None:
        """Listen.

        Raises: CannotListen.
        """
        if self._bind is None:
            return
        await self._runner.setup()
        host, port = self._bind
        try:
            await web.TCPSite(self._runner, host or None, port).start()
        except OSError as fault:
            await self.stop()
            raise CannotListen(f"cannot listen on {host}:{port}: {fault.strerror}") from None

    async def stop(self) -> None:
        """End, after the answers that are under way; harmless if it never started."""
        await self._runner.cleanup()


def _answer_to(check: Check) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        missing = check()
        if missing is None:
            return web.Response(text="ok\n")
        return web.Response(status=web.HTTPServiceUnavailable.status_code, text=f"{missing}\n")

    return answer


def _page_of(metrics: Rendered) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def page(_: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return page
