"""A server with one Lease, and instances that want it."""

import asyncio
import json
from typing import Any

from rso.kube.client import Client
from rso.kube.errors import Unreachable
from rso.kube.lease import Lease
from rso.kube.transport import Request, Response
from tests.kube.clock import FakeClock
from tests.kube.things import Scripted, answer, status


class LeaseServer(Scripted):
    """One Lease with a resourceVersion, over as many clients as there are rivals."""

    def __init__(self) -> None:
        super().__init__()
        self.record: dict[str, Any] | None = None
        self.version = 0
        self.hangs = False
        self.loses_answers = 0

    @property
    def spec(self) -> dict[str, Any]:
        assert self.record is not None
        spec: dict[str, Any] = self.record["spec"]
        return spec

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        await asyncio.sleep(0)
        if self.hangs:
            await asyncio.Event().wait()
        if request.verb == "get":
            return answer(self.record) if self.record else status(404, "NotFound")
        return self._store(json.loads(request.body or b""), request)

    def write(self, **spec: object) -> None:
        """Change the record as another program would."""
        self.version += 1
        old = self.record or {"metadata": {"name": "rso"}, "spec": {}}
        metadata = {**old["metadata"], "resourceVersion": str(self.version)}
        self.record = {"metadata": metadata, "spec": {**old["spec"], **spec}}

    def _store(self, body: dict[str, Any], request: Request) -> Response:
        if request.verb == "create" and self.record is not None:
            return status(409, "AlreadyExists")
        if request.verb == "update" and self.record is None:
            return status(404, "NotFound")
        sent = body["metadata"].get("resourceVersion")
        if self.record is not None and sent != self.record["metadata"]["resourceVersion"]:
            return status(409, "Conflict")
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.record = body
        if self.loses_answers:
            self.loses_answers -= 1
            raise Unreachable("the answer is lost", sent=True)
        return answer(body)


class Rival:
    """An instance that wants to lead, and what happened to its work."""

    def __init__(self, server: LeaseServer, clock: FakeClock, identity: str) -> None:
        client = Client(server, clock=clock, field_manager="tester")
        self.lease = Lease(client, clock, "default", "rso", identity)
        self.history: list[str] = []
        self.finish = asyncio.Event()
        self.cleanup_seconds = 0.0
        self.clock = clock
        self.holding = asyncio.ensure_future(self.lease.hold(self.work))

    async def work(self) -> None:
        self.history.append("begins")
        try:
            await self.finish.wait()
        except asyncio.CancelledError:
            self.history.append("is cancelled" + (" and held" if self.lease.is_held() else ""))
            await self.clock.sleep(self.cleanup_seconds)
            raise
        finally:
            self.history.append("ends")


class Hanging(Scripted):
    async def send(self, request: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError(request)


async def end(rival: Rival) -> None:
    rival.holding.cancel()
    await asyncio.gather(rival.holding, return_exceptions=True)


def lease(server: LeaseServer, clock: FakeClock) -> Lease:
    """Return the Lease of an instance "a"."""
    return Lease(Client(server, clock=clock, field_manager="tester"), clock, "default", "rso", "a")
