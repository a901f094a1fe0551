"""Names for the writes of a resize, and what can happen to one of them.

A write is named by what it does, not by its number, so that a fault meets the same write whether
or not a conflict came before it.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rso.kube.errors import Unreachable
from rso.kube.transport import METHODS, Request, Response
from testbed.cluster import Cluster
from tests.support.sets import PREFIX
from tests.support.wire import Crash, Sent, Wire

Json = dict[str, Any]
PHASE = f"{PREFIX}phase"
STATUS = f"{PREFIX}status"
_CLAIMS = "persistentvolumeclaims"
# The writes that safety.md section 2 counts; all others are extras.
_ESSENTIAL = ("grow", "save", "delete", "create", "managers", "drop")


class Position(StrEnum):
    """When the operator dies at a write; `lost`: only the answer is lost, and it lives on."""

    BEFORE = "before"
    COMMIT = "commit"
    AFTER = "after"
    LOST = "lost"


KILLS = (Position.BEFORE, Position.COMMIT, Position.AFTER)


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """The n-th write of this name, counted from 1."""

    write: str
    number: int = 1

    @property
    def is_essential(self) -> bool:
        """Whether safety.md counts this write."""
        return self.write.split()[0] in _ESSENTIAL

    @property
    def slug(self) -> str:
        """The point as a part of a case's name."""
        return "-".join((*self.write.split(), *([str(self.number)] if self.number > 1 else [])))


def points(sent: Iterable[Sent]) -> list[Point]:
    """Return the points of a run's changing requests, in their order."""
    seen: Counter[str] = Counter()
    found = []
    for each in sent:
        name = write_name(each.request)
        seen[name] += 1
        found.append(Point(name, seen[name]))
    return found


def write_name(request: Request) -> str:
    """Return what a changing request does: `grow data-db-0`, `save`, `delete`, `status Done`."""
    body = json.loads(request.body or b"{}")
    match request.verb, request.resource.plural:
        case "patch", "persistentvolumeclaims":
            verb = "grow" if "spec" in body else "unreference"
            return f"{verb} {request.name}"
        case verb, "configmaps":
            return {"create": "save", "delete": "drop"}.get(verb) or _label(body)
        case "patch", "statefulsets":
            return _set_patch(body)
        case verb, "statefulsets":
            return verb
        case verb, plural:
            return f"{verb} {plural}"


def _label(body: Json) -> str:
    return f"label {body['metadata'].get('labels', {}).get(PHASE, '?')}"


def _set_patch(body: Json) -> str:
    metadata = body.get("metadata", {})
    if "managedFields" in metadata:
        return "managers"
    policy = body.get("spec", {}).get("persistentVolumeClaimRetentionPolicy", {})
    if policy:
        return "retain" if policy.get("whenDeleted") == "Retain" else "policy"
    text = metadata.get("annotations", {}).get(STATUS, "?") or "none"
    return f"status {text.split(':')[0]}"


class Fault:
    """Strikes one operator once, at one point; `wire` is set before the operator starts."""

    def __init__(self, point: Point, position: Position) -> None:
        self.fired = threading.Event()
        self.wire: Wire | None = None
        self.held: Request | None = None  # what was not sent, and may still land
        self._point = point
        self._position = position
        self._seen = 0

    def before(self, request: Request) -> None:
        """Count, and die if the write must not be sent."""
        if not request.changes or write_name(request) != self._point.write:
            return
        self._seen += 1
        if self._position is Position.BEFORE and self._is_due():
            self.held = request
            self._strike()
            raise Crash

    def land(self, cluster: Cluster) -> int:
        """Send what was held, as a packet that was under way for long; return the answer's code."""
        assert self.held is not None
        method, target = METHODS[self.held.verb], self.held.target()
        body = json.loads(self.held.body or b"{}")
        return cluster.api.send(method, target, body, self.held.content_type)[0]

    def after(self, request: Request, response: Response) -> None:
        """Lose the answer, or die with it; a refused request was no write."""
        if not request.changes or write_name(request) != self._point.write:
            return
        if not response.status < 300 or not self._is_due():
            return
        self._strike()
        if self._position is not Position.AFTER:
            raise Unreachable("the answer was lost", sent=True)

    @property
    def is_survivable(self) -> bool:
        """Whether the operator lives on."""
        return self._position is Position.LOST

    def _is_due(self) -> bool:
        return self._seen >= self._point.number and not self.fired.is_set()

    def _strike(self) -> None:
        if self._position is not Position.LOST and self.wire is not None:
            self.wire.is_dead = True  # its process is no more: nothing it does reaches the server
        self.fired.set()


class Interruption:
    """Calls `act` once, just before a point; with `crash`, the operator then dies."""

    def __init__(self, point: Point, act: Callable[[], object], *, is_deadly: bool = False) -> None:
        self.fired = threading.Event()
        self._point = point
        self._act = act
        self._is_deadly = is_deadly
        self._seen = 0

    def before(self, request: Request) -> None:
        """Count, and act when the point has come."""
        if not request.changes or write_name(request) != self._point.write:
            return
        self._seen += 1
        if self._seen != self._point.number or self.fired.is_set():
            return
        self._act()
        self.fired.set()
        if self._is_deadly:
            raise Crash

    def is_past(self, sent: Iterable[Sent]) -> bool:
        """Return whether the request that was held up has had its answer, too."""
        names = [write_name(each.request) for each in sent if each.request.changes]
        return self.fired.is_set() and names.count(self._point.write) >= self._point.number
