"""A scripted server and an informer that follows it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from rso.kube.auth import Access, Anonymous
from rso.kube.client import Client
from rso.kube.informer import Informer
from rso.kube.transport import HttpTransport, Transport
from tests.kube.clock import FakeClock, until
from tests.kube.server import ApiServer
from tests.kube.things import KIND, Thing

Change = tuple[str | None, str | None]  # uids, old and new


class Watched:
    """A server with three things and an informer that follows it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.server = ApiServer(self.clock.monotonic)
        self.changes: list[Change] = []
        self.undecodable = 0
        self.most_size: int | None = None  # of what is kept; None: everything is
        self.informer: Informer[Thing]

    def on_change(self, old: Thing | None, new: Thing | None) -> None:
        self.changes.append((_uid(old), _uid(new)))

    def on_undecodable(self) -> None:
        self.undecodable += 1

    def keeps(self, thing: Thing) -> bool:
        return self.most_size is None or thing.size <= self.most_size

    def names(self) -> set[str]:
        return set(self.informer.names("default"))

    def is_true(self) -> bool:
        """Whether the cache equals the server."""
        mine = {
            item.metadata.name: (item.metadata.uid, item.metadata.resource_version)
            for item in self.informer.values()
        }
        theirs = {
            name: (item["metadata"]["uid"], item["metadata"]["resourceVersion"])
            for name, item in self.server.objects.items()
        }
        return mine == theirs

    async def converges(self) -> None:
        """Add a thing; return when it is seen and the cache equals the server."""
        self.server.put("later")
        await until(lambda: "later" in self.names() and self.is_true(), self.clock)

    def rate(self, since: int) -> float:
        """Return the requests for each second of the clock, since a number of requests."""
        seen = self.server.seen[since:]
        return len(seen) / (self.clock.monotonic() - seen[0].at)


@asynccontextmanager
async def watching(
    watched: Watched,
    wrap: Callable[[Transport], Transport] = lambda transport: transport,
    labels: str = "",
) -> AsyncIterator[None]:
    """Run an informer against the server."""
    async with watched.server.serve() as url:
        transport = HttpTransport(Access(url, Anonymous()))
        watched.informer = Informer(
            Client(wrap(transport), clock=watched.clock, field_manager="tester"),
            KIND,
            clock=watched.clock,
            labels=labels,
            keeps=watched.keeps,
            on_change=watched.on_change,
            on_undecodable=watched.on_undecodable,
        )
        running = asyncio.ensure_future(watched.informer.run())
        try:
            await until(watched.informer.synced.is_set, watched.clock)
            await until(lambda: watched.server.requests("watch"), watched.clock)
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await transport.close()


def _uid(item: Thing | None) -> str | None:
    return None if item is None else item.metadata.uid
