"""Every state of the objects of a case, as the API server's own watches tell it.

The resourceVersions of one API server count its writes, whatever the kind: the state of one object
at the moment of another one's change is known exactly, not by a clock.
"""

import asyncio
import json
import threading
import time
from dataclasses import dataclass
from typing import Any

from rso.kube.auth import from_kubeconfig
from rso.kube.lines import lines
from rso.kube.transport import HttpTransport, Request, Resource
from testbed.cluster import Cluster
from tests.support.operators import let_connections_close

Json = dict[str, Any]

SETS = Resource("apps", "v1", "statefulsets")
CLAIMS = Resource("", "v1", "persistentvolumeclaims")
PODS = Resource("", "v1", "pods")
CONFIG_MAPS = Resource("", "v1", "configmaps")
_OF_THE_CASE = (SETS, CLAIMS, PODS)
CATCH_UP_SECONDS = 20.0
_WATCH_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class State:
    """An object after one change; `kind` is the plural, `seen_at` monotonic seconds."""

    kind: str
    is_gone: bool
    object: Json
    seen_at: float

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.object["metadata"]["name"])

    @property
    def uid(self) -> str:
        """The object's uid."""
        return str(self.object["metadata"]["uid"])

    @property
    def version(self) -> int:
        """The number of the write that led to this state."""
        return int(self.object["metadata"]["resourceVersion"])

    @property
    def is_deleting(self) -> bool:
        """Whether the object is going or gone."""
        return self.is_gone or "deletionTimestamp" in self.object["metadata"]


class History:
    """Records from `start` to `stop`: sets, claims and Pods of one namespace, backups of another.

    The namespaces must be empty of them when it starts.
    """

    def __init__(self, cluster: Cluster, namespace: str, operator_namespace: str) -> None:
        self.states: list[State] = []
        self.error: Exception | None = None
        self._cluster = cluster
        self._scopes = [(kind, namespace) for kind in _OF_THE_CASE]
        self._scopes.append((CONFIG_MAPS, operator_namespace))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._main, name="history", daemon=True)

    def start(self) -> "History":
        """Start, and return at once: nothing is missed, for a watch begins where its list ends."""
        versions = [self._version(kind, namespace) for kind, namespace in self._scopes]
        self._task = self._loop.create_task(self._follow(versions))
        self._thread.start()
        return self

    def stop(self) -> None:
        """End the watches."""
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(CATCH_UP_SECONDS)
        if self.error is not None:
            raise self.error

    def catch_up(self) -> None:
        """Return when the watches have told what the lists tell.

        Raises: BedError.
        """
        self._cluster.wait(self._is_current, CATCH_UP_SECONDS, "the history is complete")

    def of(self, kind: Resource) -> list[State]:
        """Return all states of a kind, in the order of their writes."""
        return [each for each in self.states if each.kind == kind.plural]

    def before(self, kind: Resource, version: int) -> dict[str, State]:
        """Return {name: state} of the objects that exist just before a write."""
        found = {each.name: each for each in self.of(kind) if each.version < version}
        return {name: each for name, each in found.items() if not each.is_gone}

    def now(self, kind: Resource) -> dict[str, State]:
        """Return {name: state} of the objects that exist at the end."""
        found = {each.name: each for each in self.of(kind)}
        return {name: each for name, each in found.items() if not each.is_gone}

    def _version(self, kind: Resource, namespace: str) -> str:
        found = self._cluster.api.request("GET", kind.path(namespace))
        assert not [each for each in found["items"] if kind != CONFIG_MAPS], "not empty"
        return str(found["metadata"]["resourceVersion"])

    def _is_current(self) -> bool:
        return all(self._shows(kind, namespace) for kind, namespace in self._scopes)

    def _shows(self, kind: Resource, namespace: str) -> bool:
        items = self._cluster.api.request("GET", kind.path(namespace))["items"]
        listed = {
            each["metadata"]["name"]: int(each["metadata"]["resourceVersion"])
            for each in items
            if not _is_foreign(each)
        }
        return listed == {name: each.version for name, each in self.now(kind).items()}

    def _main(self) -> None:
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        except Exception as error:  # noqa: BLE001  told by stop
            self.error = error
        finally:
            self._loop.close()

    async def _follow(self, versions: list[str]) -> None:
        transport = HttpTransport(from_kubeconfig(str(self._cluster.kubeconfig)))
        try:
            async with asyncio.TaskGroup() as group:
                for (kind, namespace), version in zip(self._scopes, versions, strict=True):
                    group.create_task(self._watch(transport, kind, namespace, version))
        finally:
            await transport.close()
            await let_connections_close()

    async def _watch(
        self, transport: HttpTransport, kind: Resource, namespace: str, version: str
    ) -> None:
        query = (("watch", "1"), ("resourceVersion", version))
        request = Request("watch", kind, namespace, query=query, timeout_seconds=_WATCH_SECONDS)
        async with transport.stream(request) as chunks:
            async for line in lines(chunks):
                self._add(kind, json.loads(line))

    def _add(self, kind: Resource, event: Json) -> None:
        found = event["object"]
        if not _is_foreign(found):
            is_gone = event["type"] == "DELETED"
            self.states.append(State(kind.plural, is_gone, found, time.monotonic()))


def _is_foreign(found: Json) -> bool:
    """Return whether an object is the cluster's own."""
    return bool(found["metadata"]["name"] == "kube-root-ca.crt")
