"""Webhooks of the test's own: in a thread, registered behind a Service, for one namespace only."""

import asyncio
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rso.app.settings import WebhookSettings
from rso.app.webhook import Webhook
from rso.kube.auth import from_kubeconfig
from rso.kube.clock import Clock, SystemClock
from rso.kube.transport import HttpTransport
from testbed.cluster import Cluster
from tests.support.metrics import total
from tests.support.operators import end_tasks, let_connections_close
from tests.support.sets import PREFIX, statefulset

Json = dict[str, Any]
START_SECONDS = 30.0
STOP_SECONDS = 30.0
SERVICE = "webhook"


@dataclass
class Reviewer:
    """A webhook that runs in a thread until it is stopped."""

    cluster: Cluster
    settings: WebhookSettings
    clock: Clock = field(default_factory=SystemClock)
    kubeconfig: Path | None = None
    webhook: Webhook | None = None

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="webhook", daemon=True)

    def start(self) -> "Reviewer":
        """Start, and return when it listens."""
        self._thread.start()
        if not self._started.wait(START_SECONDS):
            raise TimeoutError("the webhook did not start")
        if self._error is not None:
            raise self._error
        return self

    def wait_ready(self) -> None:
        """Return when it has its certificate and is registered, as its Pod's probe would."""
        webhook = self.webhook
        assert webhook is not None
        self.cluster.wait(lambda: webhook.missing() is None, START_SECONDS, "it is ready")

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self.webhook is not None
        address = self.webhook.server.address
        assert address is not None
        return address[1]

    def stop(self) -> None:
        """End as on SIGTERM; raise what it died of."""
        if self._thread.is_alive() and self.webhook is not None:
            self._loop.call_soon_threadsafe(self.webhook.stop)
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive():
            raise TimeoutError("the webhook does not end")
        if self._error is not None:
            raise self._error

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that have these labels."""
        assert self.webhook is not None
        return total(self.webhook.metrics.render(), name, labels)

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._run())
        except BaseException as error:  # noqa: BLE001  told by stop
            self._error = error
        finally:
            self._started.set()
            self._loop.run_until_complete(self._end())
            self._loop.close()

    async def _end(self) -> None:
        await end_tasks()
        await let_connections_close()

    async def _run(self) -> None:
        chosen = self.kubeconfig or self.cluster.kubeconfig
        transport = HttpTransport(from_kubeconfig(str(chosen)))
        self.webhook = Webhook(self.settings, transport, self.clock)
        running = asyncio.ensure_future(self.webhook.run())
        try:
            while self.webhook.server.address is None and not running.done():
                await asyncio.wait({running}, timeout=0.01)
            self._started.set()
            await running
        finally:
            await transport.close()


def settings_of(
    cluster: Cluster,
    namespace: str,
    service_namespace: str,
    **changes: Any,  # noqa: ANN401  any setting
) -> WebhookSettings:
    """Return the settings of a webhook for one namespace of a test."""
    chosen = {
        "service": SERVICE,
        "service_namespace": service_namespace,
        "namespaces": (namespace,),
        "listen": (cluster.host_address, 0),
        "metrics_bind": None,
        "resizer_user": "nobody:resizer",
        "autoscaler_user": "nobody:autoscaler",
        **changes,
    }
    return WebhookSettings(**chosen)


@contextmanager
def serving(cluster: Cluster, settings: WebhookSettings, **more: Any) -> Iterator[Reviewer]:  # noqa: ANN401  of Reviewer
    """Run a webhook that API servers ask, and take its objects away afterwards."""
    reviewer = Reviewer(cluster, settings, **more).start()
    try:
        reviewer.wait_ready()
        expose(cluster, settings, reviewer.port)
        wait_asked(cluster, settings.namespaces[0])
        yield reviewer
    finally:
        unregister(cluster, settings)
        reviewer.stop()


def expose(cluster: Cluster, settings: WebhookSettings, *ports: int) -> None:
    """Put a Service before webhooks that listen at these ports of this machine."""
    namespace = settings.service_namespace
    port = {"name": "https", "port": 443, "targetPort": "https"}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": settings.service}}
    cluster.apply({**service, "spec": {"ports": [port]}}, namespace)
    for number, target in enumerate(ports):
        expose_one(cluster, settings, number, target)


def expose_one(cluster: Cluster, settings: WebhookSettings, number: int, port: int) -> None:
    """Put one endpoint, counted from 0, behind the Service."""
    body: Json = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{settings.service}-{number}",
            "labels": {"kubernetes.io/service-name": settings.service},
        },
        "addressType": "IPv4",
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [cluster.host_address], "conditions": {"ready": True}}],
    }
    path = f"/apis/discovery.k8s.io/v1/namespaces/{settings.service_namespace}/endpointslices"
    name = body["metadata"]["name"]
    query = "?fieldManager=testbed&force=true"
    cluster.api.request("PATCH", f"{path}/{name}{query}", body, "application/apply-patch+yaml")


def wait_asked(cluster: Cluster, namespace: str) -> None:
    """Return when the API server asks the webhook about creates and updates."""
    path = f"/apis/apps/v1/namespaces/{namespace}/statefulsets?dryRun=All"
    bad = statefulset("probe", replicas=0, annotations={f"{PREFIX}paused": "no"})
    cluster.wait(lambda: cluster.api.send("POST", path, bad)[0] == 400, 20, "it is asked")


def unregister(cluster: Cluster, settings: WebhookSettings) -> None:
    """Delete what the webhook has registered."""
    name = f"resize-statefulset-operator.{settings.service_namespace}"
    cluster.delete("mutatingwebhookconfiguration", name)
    cluster.delete("validatingadmissionpolicybinding", f"{name}.fence")
    cluster.delete("validatingadmissionpolicy", f"{name}.fence")


def kubectl(
    cluster: Cluster, *arguments: str, stdin: str = "", kubeconfig: object = None
) -> "subprocess.CompletedProcess[str]":
    """Run kubectl and return all that it printed; it may fail."""
    chosen = kubeconfig or cluster.kubeconfig
    command = [cluster.bed.program("kubectl"), f"--kubeconfig={chosen}", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
