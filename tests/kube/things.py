"""A kind with nothing but metadata and a size, and requests that are answered from a list."""

import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec

from rso.kube.client import Client, Kind
from rso.kube.transport import Request, Resource, Response
from tests.kube.clock import FakeClock

THINGS = Resource("example.org", "v1", "things")
Answer = Response | BaseException | Callable[[Request], Response]


class Metadata(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""


class Thing(msgspec.Struct, frozen=True):
    metadata: Metadata
    size: int = 0


KIND = Kind(THINGS, msgspec.json.Decoder(Thing).decode)


def thing(name: str, uid: str = "", version: int = 1, *, size: object = 1) -> dict[str, Any]:
    """Return a thing as the server stores it; a size that is no number cannot be decoded."""
    return {
        "kind": "Thing",
        "apiVersion": "example.org/v1",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": uid or f"uid-of-{name}",
            "resourceVersion": str(version),
        },
        "size": size,
    }


def answer(body: object, code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer with a JSON body."""
    return Response(code, headers or {}, json.dumps(body).encode())


def status(code: int, reason: str = "", **fields: object) -> Response:
    """Return an error as Kubernetes answers it."""
    return answer({"kind": "Status", "code": code, "reason": reason, **fields}, code)


class Scripted:
    """A transport that answers from a list and keeps every request."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = deque(answers)
        self.requests: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        given = self.answers.popleft()
        if isinstance(given, BaseException):
            raise given
        return given if isinstance(given, Response) else given(request)

    def stream(self, request: Request) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        raise AssertionError(f"no watch is expected: {request}")

    async def close(self) -> None:
        pass


def client(transport: Scripted, clock: FakeClock | None = None) -> Client:
    """Return a client over answers from a list."""
    return Client(transport, clock=clock or FakeClock(), field_manager="tester")
