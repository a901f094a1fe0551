"""What the cache holds and what it tells."""

import asyncio

from tests.kube.clock import until
from tests.kube.server import event, expired
from tests.kube.things import Thing, thing
from tests.kube.watched import Watched, watching


async def test_follows(watched: Watched) -> None:
    """Every addition, change and deletion is reported once, in order, with the old object."""
    watched.server.put("d")
    watched.server.put("d", size=2)
    watched.server.remove("d")
    await until(lambda: len(watched.changes) == 6)

    uid = "uid-of-d"
    assert watched.changes[3:] == [(None, uid), (uid, uid), (uid, None)]
    assert watched.is_true()


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
    assert watched.names() == {"a", "b", "c", "d"}


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

    assert watched.names() == {"a", "b", "c"}
    assert watched.changes[3:] == []


async def test_listener_may_fail(watched: Watched) -> None:
    """A listener that raises does not stop the informer."""

    def fail(_old: Thing | None, _new: Thing | None) -> None:
        raise RuntimeError("a listener's fault")

    watched.informer._on_change = fail
    await watched.converges()

    assert watched.is_true()


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
    """Waiting for a uid ends with its deletion or replacement, and returns it as it last was."""
    deleted = asyncio.ensure_future(watched.informer.wait_gone("default", "a", "uid-of-a"))
    replaced = asyncio.ensure_future(watched.informer.wait_gone("default", "b", "uid-of-b"))
    watched.server.put("a", size=2)
    await until(lambda: len(watched.changes) == 4)
    still = (deleted.done(), replaced.done())
    watched.server.remove("a")
    watched.server.put("b", uid="second")
    last = await asyncio.gather(deleted, replaced)

    assert still == (False, False)
    assert [each and (each.metadata.uid, each.size) for each in last] == [
        ("uid-of-a", 2),
        ("uid-of-b", 1),
    ]


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


async def test_what_is_not_kept_is_not_there(watched: Watched) -> None:
    """An object that it does not keep is never told of; one that it keeps no more is deleted."""
    watched.most_size = 5
    watched.server.put("large", size=9)
    watched.server.put("grows", size=1)
    watched.server.put("grows", size=9)
    watched.server.put("last", size=1)
    await until(lambda: "last" in watched.names(), watched.clock)

    uid = "uid-of-grows"
    assert watched.changes[3:] == [(None, uid), (uid, None), (None, "uid-of-last")]
    assert watched.names() == {"a", "b", "c", "last"}
