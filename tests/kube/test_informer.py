"""The cache is true after every fault of a watch: S1 to S8, and what else may happen."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import pytest

from rso.kube.auth import Access, Anonymous
from rso.kube.client import Client
from rso.kube.informer import Informer
from rso.kube.transport import HttpTransport, Request, Response, Transport
from tests.kube.clock import FakeClock, until
from tests.kube.server import ApiServer, event, expired, failed
from tests.kube.things import KIND, Thing, thing

Change = tuple[str | None, str | None]  # uids, old and new


class Watched:
    """A server with three things and an informer that follows it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.server = ApiServer(self.clock.monotonic)
        self.changes: list[Change] = []
        self.undecodable = 0
        self.informer: Informer[Thing]

    def on_change(self, old: Thing | None, new: Thing | None) -> None:
        self.changes.append((_uid(old), _uid(new)))

    def on_undecodable(self) -> None:
        self.undecodable += 1

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


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    """Return three things that are watched."""
    watched = Watched()
    for name in ("a", "b", "c"):
        watched.server.put(name)
    async with watching(watched):
        yield watched


async def test_follows(watched: Watched) -> None:
    """Every addition, change and deletion is reported once, in order, with the old object."""
    watched.server.put("d")
    watched.server.put("d", size=2)
    watched.server.remove("d")
    await until(lambda: len(watched.changes) == 6)

    uid = "uid-of-d"
    assert [(None, uid), (uid, uid), (uid, None)] == watched.changes[3:]
    assert watched.is_true()


async def test_s1_clean_close(watched: Watched) -> None:
    """S1: after a watch that ended, later additions are seen."""
    watched.server.end_watches()

    await watched.converges()


async def test_s2_reset(watched: Watched) -> None:
    """S2: after a TCP reset, later additions are seen."""
    watched.server.reset_watches()

    await watched.converges()


async def test_s3_expired_event(watched: Watched) -> None:
    """S3: a deletion in the gap before a 410 event is found and reported."""
    watched.server.silent = True
    watched.server.remove("a")
    watched.server.forget()
    watched.server.end_watches(expired())
    await until(lambda: len(watched.server.requests("list")) == 2, watched.clock)
    watched.server.silent = False
    await watched.converges()

    assert ("uid-of-a", None) in watched.changes


async def test_s4_error_event(watched: Watched) -> None:
    """S4: an ERROR event that is no 410 continues from the same version, without a list."""
    watched.server.end_watches(failed())
    await watched.converges()

    assert len(watched.server.requests("list")) == 1


async def test_s5_server_away(watched: Watched) -> None:
    """S5: a deletion while the server was away for three seconds is found."""
    watched.server.is_away = True
    watched.server.reset_watches()
    watched.server.remove("b")
    watched.server.forget()
    await until(lambda: watched.clock.monotonic() > 3, watched.clock)
    watched.server.is_away = False
    await watched.converges()

    assert ("uid-of-b", None) in watched.changes


@pytest.mark.parametrize("code", [pytest.param(410, id="S6"), pytest.param(500, id="S7")])
async def test_refused_watches(watched: Watched, code: int) -> None:
    """S6, S7: a server that refuses watches gets at most two requests a second."""
    first = len(watched.server.seen)
    watched.server.watch_status = code
    watched.server.end_watches()
    await until(lambda: watched.clock.monotonic() > 10, watched.clock)
    rate = watched.rate(first)
    watched.server.watch_status = 200
    await watched.converges()

    assert rate <= 2


async def test_s7_lists_too(watched: Watched) -> None:
    """S7: a server that fails lists and watches gets at most two requests a second."""
    first = len(watched.server.seen)
    watched.server.watch_status = 410
    watched.server.list_status = 500
    watched.server.end_watches()
    await until(lambda: watched.clock.monotonic() > 20, watched.clock)
    rate = watched.rate(first)
    watched.server.watch_status = watched.server.list_status = 200
    await watched.converges()

    assert rate <= 2


async def test_s8_closed_at_once(watched: Watched) -> None:
    """S8: a server that closes each watch at once gets at most two requests a second."""
    first = len(watched.server.seen)
    watched.server.close_at_once = True
    watched.server.end_watches()
    await until(lambda: watched.clock.monotonic() > 10, watched.clock)
    rate = watched.rate(first)
    watched.server.close_at_once = False
    await watched.converges()

    assert rate <= 2


async def test_long_watch_continues_at_once(watched: Watched) -> None:
    """A watch that ended after its full time is opened again without waiting."""
    watched.clock.seconds += 300
    watched.server.end_watches()
    await until(lambda: len(watched.server.requests("watch")) == 2)

    assert len(watched.server.requests("list")) == 1


async def test_bookmark_moves_the_version(watched: Watched) -> None:
    """A bookmark's version is where the next watch begins."""
    bookmark = b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"77"}}}\n'
    watched.server.end_watches(bookmark)
    await until(lambda: len(watched.server.requests("watch")) == 2, watched.clock)

    last = watched.server.requests("watch")[-1]
    assert last.query["resourceVersion"] == "77"
    assert last.query["allowWatchBookmarks"] == "true"


async def test_garbage_lists_again(watched: Watched) -> None:
    """A line that is no event makes the informer list again."""
    watched.server.end_watches(b"<html>\n")
    await until(lambda: len(watched.server.requests("list")) == 2, watched.clock)

    await watched.converges()


async def test_other_uid_after_list(watched: Watched) -> None:
    """The same name with another uid after a new list is a deletion and an addition."""
    watched.server.silent = True
    watched.server.remove("a")
    watched.server.put("a", uid="second")
    watched.server.forget()
    watched.server.end_watches(expired())
    await until(watched.is_true, watched.clock)

    assert watched.changes[3:] == [("uid-of-a", None), (None, "second")]


async def test_undecodable_event_is_skipped(watched: Watched) -> None:
    """An object that cannot be decoded is counted, keeps its last known state, stops nothing."""
    watched.server.put("a", size="big")
    watched.server.put("new", size="big")
    watched.server.put("d")
    await until(lambda: "d" in watched.names())

    assert watched.undecodable == 2
    assert {"a", "b", "c", "d"} == watched.names()


async def test_undecodable_deletion_counts(watched: Watched) -> None:
    """An object that cannot be decoded is still seen to be deleted, or replaced."""
    watched.server.put("a", size="big")
    watched.server.remove("a")
    watched.server.put("b", uid="second", size="big")
    await until(lambda: {"c"} == watched.names())

    assert watched.changes[3:] == [("uid-of-a", None), ("uid-of-b", None)]


async def test_undecodable_in_list_is_not_deleted(watched: Watched) -> None:
    """An object that a new list shows but nobody can decode does not look deleted."""
    watched.server.silent = True
    watched.server.put("a", size="big")
    watched.server.forget()
    watched.server.end_watches(expired())
    await until(lambda: watched.undecodable == 1, watched.clock)

    assert {"a", "b", "c"} == watched.names()
    assert watched.changes[3:] == []


async def test_listener_may_fail(watched: Watched) -> None:
    """A listener that raises does not stop the informer."""

    def fail(_old: Thing | None, _new: Thing | None) -> None:
        raise RuntimeError("a listener's fault")

    watched.informer._on_change = fail
    await watched.converges()

    assert watched.is_true()


async def test_silent_connection_is_noticed() -> None:
    """A watch on which nothing comes is given up, and what was missed is found."""
    watched = Watched()
    watched.server.put("a")
    async with watching(watched, Impatient):
        watched.server.silent = True
        watched.server.put("b")
        await until(lambda: len(watched.server.requests("watch")) > 1, watched.clock)
        watched.server.silent = False
        await watched.converges()


async def test_lists_in_pages() -> None:
    """A list is read page by page; one whose token expires begins again, complete."""
    watched = Watched()
    watched.server.page = 3
    watched.server.expire_continue = 1
    for number in range(10):
        watched.server.put(f"thing-{number}")
    async with watching(watched):
        assert watched.is_true()
        assert len(watched.server.requests("list")) == 6
        assert len(watched.changes) == 10


async def test_wait_gone(watched: Watched) -> None:
    """Waiting for a uid ends with its deletion, and with its replacement."""
    deleted = asyncio.ensure_future(watched.informer.wait_gone("default", "a", "uid-of-a"))
    replaced = asyncio.ensure_future(watched.informer.wait_gone("default", "b", "uid-of-b"))
    watched.server.put("a", size=2)
    await until(lambda: len(watched.changes) == 4)
    still = (deleted.done(), replaced.done())
    watched.server.remove("a")
    watched.server.put("b", uid="second")
    await asyncio.gather(deleted, replaced)

    assert still == (False, False)


async def test_wait_gone_at_once(watched: Watched) -> None:
    """Waiting for a uid that a complete list did not have returns at once."""
    await watched.informer.wait_gone("default", "a", "another")
    await watched.informer.wait_gone("default", "unknown", "uid")

    assert watched.informer.get("default", "a").metadata.uid == "uid-of-a"  # type: ignore[union-attr]  # it is there


async def test_values(watched: Watched) -> None:
    """Objects are found by name, by namespace, and all together."""
    found = watched.informer.get("default", "a")
    everywhere = {item.metadata.name for item in watched.informer.values()}
    here = {item.metadata.name for item in watched.informer.values("default")}
    for name in ("a", "b", "c"):
        watched.server.remove(name)
    await until(lambda: not watched.names())

    assert found is not None
    assert everywhere == here == {"a", "b", "c"}
    assert tuple(watched.informer.values("default")) == ()


async def test_unknown_deletion(watched: Watched) -> None:
    """The deletion of what was never seen changes nothing."""
    watched.server.silent = True
    watched.server.put("d")
    watched.server.end_watches(event("DELETED", thing("d", version=99)))
    await until(lambda: len(watched.server.requests("watch")) == 2, watched.clock)

    assert watched.server.requests("watch")[-1].query["resourceVersion"] == "99"
    assert watched.changes[3:] == []


async def test_labels() -> None:
    """A label selector is part of the list and of the watch."""
    watched = Watched()
    async with watching(watched, labels="app=x"):
        pass

    assert {seen.query["labelSelector"] for seen in watched.server.seen} == {"app=x"}


async def test_last_seen(watched: Watched) -> None:
    """The time of the last contact moves with what the server sends."""
    watched.clock.seconds = 50
    watched.server.put("d")
    await until(lambda: "d" in watched.names())

    assert watched.informer.last_seen == 50


def _uid(item: Thing | None) -> str | None:
    return None if item is None else item.metadata.uid


class Impatient:
    """Waits for a silent watch only 50 ms."""

    def __init__(self, below: Transport) -> None:
        self._below = below

    async def send(self, request: Request) -> Response:
        return await self._below.send(request)

    def stream(self, request: Request) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        return self._below.stream(replace(request, timeout_seconds=0.05))

    async def close(self) -> None:
        await self._below.close()
