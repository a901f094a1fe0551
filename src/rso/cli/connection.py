"""The cluster of a command that a person runs: found, reached, and closed at the end."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rso.app import resources
from rso.app.connect import find_access
from rso.app.keys import KeyRing, MeasuringKey
from rso.app.seal import KeySource, Sealer
from rso.app.tools import Observer, observer
from rso.cli.exits import Failed, NoAnswer
from rso.core.names import FIELD_MANAGER
from rso.core.policy import Bounds
from rso.kube.auth import Access
from rso.kube.client import Client
from rso.kube.clock import SystemClock
from rso.kube.errors import Forbidden, NotFound, Unreachable
from rso.kube.transport import HttpTransport, Request, Response, Transport

_TLS_OBJECT = re.compile(r" ssl:(<[^>]*>|[A-Za-z]+)")


class FirstContact:
    """A transport that says at once when the server was never reached.

    Once it has answered, a failure may pass and is left to the client's patience.
    """

    def __init__(self, transport: Transport, server: str) -> None:
        self._transport = transport
        self._server = server
        self._was_reached = False

    async def send(self, request: Request) -> Response:
        """Send a request.

        Raises: NoAnswer, when no request was answered yet.
        """
        try:
            response = await self._transport.send(request)
        except Unreachable as fault:
            if self._was_reached:
                raise
            raise NoAnswer(
                f"the API server {self._server} cannot be reached: {_plain(fault)}; is it the "
                "right one? "
                "--kubeconfig, --context and the variable KUBECONFIG choose it"
            ) from None
        self._was_reached = True
        return response

    def stream(self, request: Request) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open a watch."""
        return self._transport.stream(request)

    async def close(self) -> None:
        """Close the transport below."""
        await self._transport.close()


@dataclass(frozen=True, slots=True)
class Connection:
    """A reached cluster; `namespace` is the one that the flag or else the context names."""

    transport: Transport
    client: Client
    clock: SystemClock
    namespace: str
    operator_namespace: str

    def observer(
        self, bounds: Bounds, keys: KeySource | None = None, cluster: str = ""
    ) -> Observer:
        """Return what looks at sets; without keys it supposes that the operator has one."""
        sealer = Sealer(keys or MeasuringKey(), cluster, self.operator_namespace)
        return observer(self.client, self.clock, sealer, bounds)

    async def cluster_id(self) -> str:
        """Return the uid of the operator's namespace, which names its backups.

        Raises: Failed, when there is no such namespace; Forbidden.
        """
        try:
            found = await self.client.get(resources.NAMESPACES, None, self.operator_namespace)
        except NotFound:
            raise Failed(
                f"there is no namespace {self.operator_namespace}; name the operator's with "
                "--operator-namespace"
            ) from None
        return found.metadata.uid

    async def cluster_id_if_known(self) -> str:
        """Return the same, or an empty text where it cannot be read: a plan does without."""
        try:
            return await self.cluster_id()
        except (Failed, Forbidden):
            return ""


@asynccontextmanager
async def connect(values: Mapping[str, Any]) -> AsyncIterator[Connection]:
    """Yield the connection that the flags describe.

    Raises: NoCredentials; and while it is used NoAnswer, and what requests raise.
    """
    access = find_access(values["kubeconfig"], values["context"])
    transport = FirstContact(HttpTransport(access), _server(access, values["context"]))
    clock = SystemClock()
    client = Client(transport, clock=clock, field_manager=FIELD_MANAGER)
    namespace = values.get("namespace") or access.namespace
    try:
        yield Connection(transport, client, clock, namespace, values["operator_namespace"])
    finally:
        await transport.close()


def key_ring(directory: Path | None) -> KeyRing | None:
    """Return the keys of a directory.

    Raises: Failed, when they cannot be used; its text names the file.
    """
    if directory is None:
        return None
    ring = KeyRing(directory)
    if ring.current() is None:
        raise Failed(ring.problem)
    return ring


def _plain(fault: Unreachable) -> str:
    """Return the fault without the address of an object in memory, which tells nobody anything."""
    return _TLS_OBJECT.sub("", str(fault))


def _server(access: Access, context: str | None) -> str:
    return f"{access.server} (context {context})" if context else access.server
