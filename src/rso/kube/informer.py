"""A cache that is true: list, then watch, for ever.

Promise: after any fault of server or network the cache becomes equal to the server's state, and
each difference is reported once to ``on_change``, which sees (None, new), (old, new) or
(old, None). The order per object is the server's.

What it rests on: a watch from a version gives every later change in order, or says 410; then
everything is listed again and the difference is reported. Deletions are made up only from a
complete list. The same key with another uid is another object: a deletion, then an addition.

An object that ``keeps`` refuses is not there; one that it no longer keeps is reported as deleted.

An object that cannot be decoded is counted and left as it was last known; it never stops the
informer, and it never looks deleted.
"""

import asyncio
import logging
import random
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing
from typing import Generic, Protocol, TypeVar

import msgspec

from rso.kube import errors
from rso.kube.backoff import Backoff
from rso.kube.client import Client
from rso.kube.clock import Clock
from rso.kube.errors import Gone, Undecodable
from rso.kube.kinds import Kind, Listing, decode, identity
from rso.kube.lines import lines
from rso.kube.transport import Request

WATCH_SECONDS = 300  # then the server ends the watch; spread so that not all end at once
SILENCE_SECONDS = 100.0  # bookmarks come each minute; a longer silence is a dead connection
SHORT_SECONDS = 5.0  # a watch that ended sooner counts as a failure

log = logging.getLogger(__name__)


class Metadata(Protocol):
    """The identity of an object."""

    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def uid(self) -> str: ...
    @property
    def resource_version(self) -> str: ...


class Object(Protocol):
    """Anything with metadata."""

    @property
    def metadata(self) -> Metadata: ...


T = TypeVar("T", bound=Object)
Key = tuple[str, str]  # namespace, name


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


class Informer(Generic[T]):
    """Keeps what the server has of one kind.

    ``synced`` is set after the first complete list and stays set. ``last_seen`` is the monotonic
    time of the last byte from the server.
    """

    def __init__(  # noqa: PLR0913  what to follow, and the two callbacks that are its output
        self,
        client: Client,
        kind: Kind[T],
        *,
        clock: Clock,
        namespace: str | None = None,
        labels: str = "",
        keeps: Callable[[T], bool] = lambda _item: True,
        on_change: Callable[[T | None, T | None], None],
        on_undecodable: Callable[[], None],
    ) -> None:
        self.synced = asyncio.Event()
        self.last_seen = clock.monotonic()
        self._client = client
        self._kind = kind
        self._clock = clock
        self._namespace = namespace
        self._labels = labels
        self._keeps = keeps
        self._on_change = on_change
        self._on_undecodable = on_undecodable
        self._objects: dict[str, dict[str, T]] = {}
        self._waiting: dict[Key, list[asyncio.Future[T]]] = {}
        self._version = ""
        self._began = 0.0
        self._backoff = Backoff()

    def get(self, namespace: str, name: str) -> T | None:
        """Return an object as last seen."""
        return self._objects.get(namespace, {}).get(name)

    def values(self, namespace: str | None = None) -> Iterable[T]:
        """Return all objects, or those of one namespace, as of this call."""
        if namespace is not None:
            return tuple(self._objects.get(namespace, {}).values())
        return tuple(item for items in self._objects.values() for item in items.values())

    def names(self, namespace: str) -> tuple[str, ...]:
        """Return the names in one namespace."""
        return tuple(self._objects.get(namespace, ()))

    async def wait_gone(self, namespace: str, name: str, uid: str) -> T | None:
        """Return the object as it last was, when the server has said that its uid is no more.

        None, and at once, if a complete list did not have it.
        """
        await self.synced.wait()
        last = None
        while (found := self.get(namespace, name)) is not None and found.metadata.uid == uid:
            future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault((namespace, name), []).append(future)
            last = await future
        return last

    async def run(self) -> None:
        """Keep the cache true until cancelled."""
        while True:
            failed = await self._follow()
            if failed or self._clock.monotonic() - self._began < SHORT_SECONDS:
                await self._clock.sleep(self._backoff.next())

    async def _follow(self) -> bool:
        """List if needed and watch until the stream ends; return whether it failed."""
        try:
            self._began = self._clock.monotonic()
            if not self._version:
                self._merge(await self._client.list(self._kind, self._namespace, self._labels))
            self._began = self._clock.monotonic()  # a slow list is no long watch
            await self._watch()
        except Gone as error:
            self._version = ""
            self._log("version too old: list again", error)
        except Exception as error:  # noqa: BLE001  whatever it is, the cache must become true again
            if isinstance(error, Undecodable):
                self._version = ""
            self._log("watch failed", error)
            return True
        return False

    async def _watch(self) -> None:
        async with self._client.transport.stream(self._request()) as chunks:
            self.last_seen = self._clock.monotonic()
            async with aclosing(lines(self._seen(chunks))) as found:
                async for line in found:
                    self._apply(line)
                    self._backoff.reset()

    async def _seen(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            self.last_seen = self._clock.monotonic()
            yield chunk

    def _request(self) -> Request:
        spread = random.uniform(0.8, 1.2)  # noqa: S311  spreads load, guards no secret
        query = [
            ("watch", "1"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", self._version),
            ("timeoutSeconds", str(round(WATCH_SECONDS * spread))),
        ]
        if self._labels:
            query.append(("labelSelector", self._labels))
        return Request(
            "watch",
            self._kind.resource,
            self._namespace,
            query=tuple(query),
            timeout_seconds=SILENCE_SECONDS,
        )

    def _apply(self, line: bytes) -> None:
        try:
            event = msgspec.json.decode(line, type=_Event)
        except (msgspec.DecodeError, ValueError) as error:
            raise Undecodable(f"watch event: {error}") from error
        if event.type == "ERROR":
            raise errors.from_event(bytes(event.object))
        # strictly the change first: a version stands only for what was applied
        self._version = self._change(event) or self._version

    def _change(self, event: _Event) -> str:
        if event.type == "BOOKMARK":
            return identity(event.object).resource_version
        try:
            item = decode(self._kind, event.object)
        except Undecodable as error:
            return self._skip(event, error)
        if event.type == "DELETED":
            self._remove(item.metadata.namespace, item.metadata.name, item)
        else:
            self._put(item)
        return item.metadata.resource_version

    def _skip(self, event: _Event, error: Undecodable) -> str:
        self._on_undecodable()
        self._log("object cannot be decoded", error)
        found = identity(event.object)
        old = self.get(found.namespace, found.name)
        if old is not None and (event.type == "DELETED" or old.metadata.uid != found.uid):
            self._remove(found.namespace, found.name)
        return found.resource_version

    def _merge(self, listing: Listing[T]) -> None:
        for _ in range(listing.undecodable):
            self._on_undecodable()
        if self._objects:  # the first list can be long, and has nothing to compare with
            self._remove_missing(listing)
        for item in listing.items:
            self._put(item)
        self._version = listing.resource_version
        self.last_seen = self._clock.monotonic()
        self.synced.set()

    def _remove_missing(self, listing: Listing[T]) -> None:
        exists = {_identity(item) for item in listing.items}
        exists |= {(item.namespace, item.name, item.uid) for item in listing.skipped}
        for old in self.values():
            if _identity(old) not in exists:
                self._remove(old.metadata.namespace, old.metadata.name)

    def _put(self, new: T) -> None:
        namespace, name = new.metadata.namespace, new.metadata.name
        if not self._keeps(new):
            self._remove(namespace, name)
            return
        old = self.get(namespace, name)
        if old is not None and old.metadata.uid != new.metadata.uid:
            self._remove(namespace, name)
            old = None
        if old is not None and old.metadata.resource_version == new.metadata.resource_version:
            return
        self._objects.setdefault(sys.intern(namespace), {})[name] = new
        self._notify(old, new)

    def _remove(self, namespace: str, name: str, last: T | None = None) -> None:
        items = self._objects.get(namespace, {})
        old = items.pop(name, None)
        if old is None:
            return
        if not items:
            del self._objects[namespace]
        for future in self._waiting.pop((namespace, name), ()):
            if not future.done():
                future.set_result(old if last is None else last)
        self._notify(old, None)

    def _notify(self, old: T | None, new: T | None) -> None:
        try:
            self._on_change(old, new)
        except Exception:
            log.exception("a listener failed", extra={"kind": self._kind.resource.plural})

    def _log(self, message: str, error: Exception) -> None:
        text = errors.printable(f"{type(error).__name__}: {error}")
        log.warning(message, extra={"kind": self._kind.resource.plural, "error": text})


def _identity(item: Object) -> tuple[str, str, str]:
    return (item.metadata.namespace, item.metadata.name, item.metadata.uid)
