"""Events for people: ``kubectl describe`` shows them.

An Event is a courtesy. Recording never raises and never delays the caller: what cannot be sent is
dropped and logged. The same words about the same object count up instead of repeating, and one
object cannot flood the server.
Source: the defaults of client-go's ``EventCorrelator`` (25 events, then one in 300 seconds).
"""

import asyncio
import itertools
import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rso.kube import errors
from rso.kube.client import Client
from rso.kube.clock import Clock
from rso.kube.errors import KubeError, NotFound
from rso.kube.kinds import raw
from rso.kube.transport import Resource

NOTE_CHARACTERS = 1000  # the server's bound is 1024 bytes
NOTE_BYTES = 1024
WAITING = 1000  # Events not sent yet
REMEMBERED = 4096  # objects and Events whose counts are kept
BURST = 25
REFILL_SECONDS = 300.0
EVENTS = raw(Resource("", "v1", "events"))

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """The object that an Event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class _Said:
    ref: ObjectRef
    type: str
    reason: str
    note: str
    at: datetime

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.ref.uid, self.type, self.reason, self.note)


@dataclass(slots=True)
class _Sent:
    name: str
    count: int = 1


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float = field(default=0.0)


class Recorder:
    """Turns sentences into Events; ``run`` sends them in the background."""

    def __init__(self, client: Client, component: str, instance: str, clock: Clock) -> None:
        self._client = client
        self._component = component
        self._instance = instance
        self._clock = clock
        self._waiting: asyncio.Queue[_Said] = asyncio.Queue(WAITING)
        self._sent: OrderedDict[tuple[str, str, str, str], _Sent] = OrderedDict()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._order = itertools.count()

    def event(self, ref: ObjectRef, type: str, reason: str, note: str) -> None:  # noqa: A002  Kubernetes' word
        """Queue an Event; ``type`` is Normal or Warning, ``note`` is cut at 1 kB."""
        if not self._may_say(ref.uid or f"{ref.namespace}/{ref.name}"):
            log.debug("too many Events about one object", extra={"object": ref.name})
            return
        said = _Said(ref, type, reason, _cut(note), self._clock.now())
        try:
            self._waiting.put_nowait(said)
        except asyncio.QueueFull:
            log.warning("an Event was dropped: too many wait", extra={"reason": reason})

    async def run(self) -> None:
        """Send Events for ever."""
        while True:
            said = await self._waiting.get()
            try:
                await self._send(said)
            except KubeError as error:
                log.warning("an Event was dropped", extra={"error": errors.printable(str(error))})
            except Exception:
                log.exception("an Event was dropped")
            finally:
                self._waiting.task_done()

    async def drain(self) -> None:
        """Return when every queued Event was sent or dropped; ``run`` must be running."""
        await self._waiting.join()

    def _may_say(self, about: str) -> bool:
        now = self._clock.monotonic()
        bucket = self._buckets.pop(about, None) or _Bucket(BURST, now)
        bucket.tokens = min(BURST, bucket.tokens + (now - bucket.at) / REFILL_SECONDS)
        bucket.at = now
        self._buckets[about] = bucket
        _trim(self._buckets)
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    async def _send(self, said: _Said) -> None:
        sent = self._sent.pop(said.key, None)
        if sent is None or not await self._count(said, sent):
            sent = await self._create(said)
        self._sent[said.key] = sent
        _trim(self._sent)

    async def _count(self, said: _Said, sent: _Sent) -> bool:
        """Count an Event up; return False when the server has forgotten it."""
        body = {"count": sent.count + 1, "lastTimestamp": _time(said.at)}
        try:
            await self._client.patch(EVENTS, _namespace(said.ref), sent.name, body)
        except NotFound:
            return False
        sent.count += 1
        return True

    async def _create(self, said: _Said) -> _Sent:
        suffix = f"{int(said.at.timestamp() * 1e6):x}{next(self._order) % 4096:03x}"
        sent = _Sent(f"{said.ref.name[:230]}.{suffix}")
        await self._client.create(EVENTS, _namespace(said.ref), self._body(said, sent.name))
        return sent

    def _body(self, said: _Said, name: str) -> dict[str, Any]:
        ref = said.ref
        return {
            "metadata": {"name": name, "namespace": _namespace(ref)},
            "involvedObject": {
                "apiVersion": ref.api_version,
                "kind": ref.kind,
                "namespace": ref.namespace,
                "name": ref.name,
                "uid": ref.uid,
                "resourceVersion": ref.resource_version,
            },
            "type": said.type,
            "reason": said.reason,
            "message": said.note,
            "count": 1,
            "firstTimestamp": _time(said.at),
            "lastTimestamp": _time(said.at),
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": self._instance,
        }


def _cut(note: str) -> str:
    text = errors.printable(note, NOTE_CHARACTERS)
    return text.encode()[:NOTE_BYTES].decode(errors="ignore")


def _namespace(ref: ObjectRef) -> str:
    return ref.namespace or "default"  # Events of cluster-wide objects live there


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _trim(kept: "OrderedDict[Any, Any]") -> None:
    while len(kept) > REMEMBERED:
        kept.popitem(last=False)
