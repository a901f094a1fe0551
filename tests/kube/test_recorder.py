"""Events are counted, limited, bounded, and never in the way."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from rso.kube.client import Client
from rso.kube.errors import Unreachable
from rso.kube.recorder import ObjectRef, Recorder
from rso.kube.transport import Request, Response
from tests.kube.clock import FakeClock
from tests.kube.things import Scripted, answer, status

DB = ObjectRef("apps/v1", "StatefulSet", "default", "db", "uid-of-db", "7")


class Events(Scripted):
    """A server that takes every Event, or answers with what a test says."""

    async def send(self, request: Request) -> Response:
        if self.answers:
            return await super().send(request)
        self.requests.append(request)
        return answer({})

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(request.body or b"") for request in self.requests]

    def verbs(self) -> list[str]:
        return [request.verb for request in self.requests]


class Recording:
    """A recorder that runs."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.server = Events()
        client = Client(self.server, clock=self.clock, field_manager="tester")
        self.recorder = Recorder(client, "tester", "tester-1", self.clock)

    def say(self, note: str, ref: ObjectRef = DB) -> None:
        self.recorder.event(ref, "Normal", "Resized", note)


@pytest.fixture
async def recording() -> AsyncIterator[Recording]:
    """Return a recorder that sends in the background."""
    recording = Recording()
    running = asyncio.ensure_future(recording.recorder.run())
    yield recording
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_event(recording: Recording) -> None:
    """An Event names its object, its words, its source and its time."""
    recording.say("it grew")
    await recording.recorder.drain()

    body = recording.server.bodies()[0]
    assert body["metadata"]["name"].startswith("db.")
    assert body["involvedObject"] == {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "namespace": "default",
        "name": "db",
        "uid": "uid-of-db",
        "resourceVersion": "7",
    }
    assert (body["type"], body["reason"], body["message"]) == ("Normal", "Resized", "it grew")
    assert (body["count"], body["lastTimestamp"]) == (1, "2026-01-01T00:00:00Z")


async def test_counts_up(recording: Recording) -> None:
    """The same words about the same object count up; other words are another Event."""
    for note in ("it grew", "it grew", "it grew", "it stands"):
        recording.say(note)
        await recording.clock.advance(1)
    await recording.recorder.drain()

    assert recording.server.verbs() == ["create", "patch", "patch", "create"]
    assert recording.server.bodies()[2] == {"count": 3, "lastTimestamp": "2026-01-01T00:00:02Z"}


async def test_forgotten_event(recording: Recording) -> None:
    """An Event that the server has dropped meanwhile is created again."""
    recording.say("it grew")
    await recording.recorder.drain()
    recording.server.answers.extend([status(404, "NotFound"), answer({})])
    recording.say("it grew")
    await recording.recorder.drain()

    assert recording.server.verbs() == ["create", "patch", "create"]


async def test_limit_for_each_object(recording: Recording) -> None:
    """One object gets 25 Events, then one in five minutes; others are not affected."""
    for number in range(40):
        recording.say(f"{number}")
    recording.say("other", ObjectRef("v1", "Pod", "default", "p", "uid-of-p"))
    await recording.recorder.drain()
    at_once = len(recording.server.requests)
    await recording.clock.advance(301)
    recording.say("later")
    recording.say("too early")
    await recording.recorder.drain()

    assert (at_once, len(recording.server.requests)) == (26, 27)


async def test_failures_are_dropped(recording: Recording) -> None:
    """An Event that cannot be sent is dropped; the next one is sent."""
    recording.server.answers.extend(
        [status(403), Unreachable("away", sent=False), ZeroDivisionError(), answer({})]
    )
    for number in range(4):
        recording.say(f"{number}")
    await recording.recorder.drain()

    assert len(recording.server.requests) == 4


async def test_notes_are_short(recording: Recording) -> None:
    """A note is one line of at most 1,024 bytes."""
    recording.say("ü\n" * 3000)
    await recording.recorder.drain()

    note = recording.server.bodies()[0]["message"]
    assert note.isprintable()
    assert len(note.encode()) <= 1024


async def test_long_names(recording: Recording) -> None:
    """An Event about an object with the longest name has a name that the server takes."""
    recording.say("it grew", ObjectRef("v1", "Pod", "", "p" * 253, "uid"))
    await recording.recorder.drain()

    metadata = recording.server.bodies()[0]["metadata"]
    assert len(metadata["name"]) <= 253
    assert metadata["namespace"] == "default"


def test_never_in_the_way() -> None:
    """Without a server, thousands of Events cost nothing and raise nothing."""

    async def record() -> int:
        recording = Recording()
        for number in range(5000):
            recording.say("it grew", ObjectRef("v1", "Pod", "n", f"p{number}", f"{number}"))
        return recording.recorder._waiting.qsize()

    assert asyncio.run(record()) == 1000
