"""The resizer as a process of its own, as its Pod would run it, and what it costs."""

import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from rso.app.keys import generate
from rso.kube.clock import SystemClock
from testbed.cluster import Cluster

READY_SECONDS = 60.0
STOP_SECONDS = 40.0
EVERYTHING = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
MIB = 2**20


@dataclass(frozen=True)
class Cost:
    """What a process has used since it began; memory at this moment and at its highest."""

    at: float
    cpu_seconds: float
    rss_mib: float
    peak_mib: float
    requests: dict[str, float]  # {verb resource: how many}


class Operator:
    """A resizer under way."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self._port = port

    def wait_ready(self) -> None:
        """Return when its caches are complete.

        Raises: TimeoutError, when they are not in a minute, or it has died.
        """
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self._read("/readyz")
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise TimeoutError("the operator did not get ready")

    def cost(self) -> Cost:
        """Return what the process has used until now."""
        directory = Path("/proc", str(self._process.pid))
        fields = (directory / "stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])  # utime, stime: proc(5)
        status = dict(
            line.split(":", 1) for line in (directory / "status").read_text().splitlines()
        )
        return Cost(
            at=time.monotonic(),
            cpu_seconds=ticks / os.sysconf("SC_CLK_TCK"),
            rss_mib=_mib(status["VmRSS"]),
            peak_mib=_mib(status["VmHWM"]),
            requests=self._requests(),
        )

    def stop(self) -> None:
        """End it as Kubernetes would."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _requests(self) -> dict[str, float]:
        counts: dict[str, float] = {}
        for family in text_string_to_metric_families(self._read("/metrics")):
            for sample in family.samples:
                if sample.name == "rso_requests_total" and sample.value:
                    what = f"{sample.labels['verb']} {sample.labels['resource']}"
                    counts[what] = counts.get(what, 0) + sample.value
        return counts

    def _read(self, path: str) -> str:
        address = f"http://127.0.0.1:{self._port}{path}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            return str(answer.read().decode())


@contextmanager
def running(cluster: Cluster, *flags: str) -> Iterator[Operator]:
    """Run `rso resizer` for the whole cluster with a key, and end it.

    It finds a ServiceAccount where a Pod has one, in a mount namespace of its own, so that it
    loads only what a Pod's process loads. Its log stays in the bed's directory.
    """
    namespace = cluster.make_namespace()
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="rso-bench-keys-") as keys:
        generate(Path(keys), SystemClock().now())
        command = [
            *(str(Path(sys.executable).with_name("rso")), "resizer"),
            *("--operator-namespace", namespace, "--key-dir", keys),
            *("--metrics-bind", f"127.0.0.1:{port}", *flags),
        ]
        log_file = cluster.bed.path("logs", f"rso-{namespace}.log")
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", "-c", _as_pod(command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(cluster, namespace),
            )
        operator = Operator(process, port)
        try:
            operator.wait_ready()
            yield operator
        finally:
            operator.stop()
            cluster.delete("namespace", namespace)


def _as_pod(command: list[str]) -> str:
    directory = "/run/secrets/kubernetes.io/serviceaccount"
    return (
        'set -e; token="$(cat "$TOKEN_FILE")"; ca="$(cat "$CA_FILE")"; '
        f"mount -t tmpfs none /run; mkdir -p {directory}; "
        f'printf %s "$token" > {directory}/token; printf %s "$ca" > {directory}/ca.crt; '
        f"exec {shlex.join(command)}"
    )


def _environment(cluster: Cluster, namespace: str) -> dict[str, str]:
    account = cluster.service_account(namespace, cluster_rules=[EVERYTHING])
    token = cluster.bed.path("kubeconfigs", f"{namespace}.token")
    token.write_text(account.token)
    address = urlsplit(cluster.url)
    kept = {name: text for name, text in os.environ.items() if not name.startswith("KUBE")}
    return kept | {
        "KUBERNETES_SERVICE_HOST": address.hostname or "",
        "KUBERNETES_SERVICE_PORT": str(address.port),
        "TOKEN_FILE": str(token),
        "CA_FILE": str(cluster.ca_file),
    }


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _mib(text: str) -> float:
    """Return MiB of a size in /proc, which is in KiB although it says kB."""
    return round(int(text.split(maxsplit=1)[0]) / 1024, 1)
