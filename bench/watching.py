"""A watch of the bench's own: what happened and when, without a word from the operator."""

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from testbed.cluster import Cluster


class Sight(NamedTuple):
    """A change as it arrived here; `at` is the monotonic time."""

    at: float
    type: str
    object: dict[str, Any]

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.object["metadata"]["name"])


class Watch:
    """Collects the changes of one kind in a thread; decoding is left for later."""

    def __init__(self, cluster: Cluster, kind: str, namespace: str) -> None:
        self._lines: list[tuple[float, bytes]] = []
        self._seen: list[Sight] = []
        resource = cluster.api.resource(kind)
        path = resource.path(namespace)
        version = cluster.api.request("GET", path)["metadata"]["resourceVersion"]
        address = urlsplit(cluster.url)
        self._connection = http.client.HTTPSConnection(
            address.hostname or "",
            address.port,
            context=ssl.create_default_context(cafile=str(cluster.ca_file)),
        )
        headers = {"Authorization": f"Bearer {cluster.token}"}
        self._connection.request("GET", f"{path}?watch=1&resourceVersion={version}", None, headers)
        self._answer = self._connection.getresponse()
        self._socket = self._connection.sock
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def sights(self) -> list[Sight]:
        """Return all changes until now, oldest first."""
        for at, line in self._lines[len(self._seen) :]:
            event = json.loads(line)
            self._seen.append(Sight(at, event["type"], event["object"]))
        return self._seen

    def end(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._connection.close()

    def _follow(self) -> None:
        try:
            while line := self._answer.readline():
                self._lines.append((time.monotonic(), line))
        except (OSError, http.client.HTTPException):
            return


@contextmanager
def watching(cluster: Cluster, kind: str, namespace: str) -> Iterator[Watch]:
    """Watch a kind in a namespace from now on."""
    watch = Watch(cluster, kind, namespace)
    try:
        yield watch
    finally:
        watch.end()
