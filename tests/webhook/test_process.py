"""`rso webhook` as a process: probes, certificates from files, its end, and a rolling restart."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.cluster import Cluster
from tests.cluster.processes import Process, part
from tests.cluster.test_serving import free_address, get
from tests.support.reviewers import (
    SERVICE,
    Reviewer,
    expose,
    expose_one,
    kubectl,
    settings_of,
    unregister,
    wait_asked,
)
from tests.support.sets import PREFIX, Sets, statefulset


@pytest.fixture
def tidy(cluster: Cluster, namespace: str, operator_namespace: str) -> Iterator[None]:
    """Take away what a process has registered."""
    yield
    unregister(cluster, settings_of(cluster, namespace, operator_namespace))


def flags(cluster: Cluster, namespace: str, own: str, listen: str, probes: str) -> list[str]:
    return [
        f"--kubeconfig={cluster.kubeconfig}",
        f"--namespace={namespace}",
        f"--service={SERVICE}",
        f"--service-namespace={own}",
        f"--listen={listen}",
        f"--metrics-bind={probes}",
        "--resizer-user=nobody:resizer",
        "--log-format=json",
    ]


def wait_ready(cluster: Cluster, process: Process, probes: str) -> None:
    def is_ready() -> bool:
        assert process.popen.poll() is None, process.log
        return get(probes, "/readyz")[0] == 200

    cluster.wait(is_ready, 40, "it is ready")


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize("tls", ["files", "cert-manager"])
def test_a_process_with_files_registers_itself_and_ends_with_0(
    cluster: Cluster, namespace: str, operator_namespace: str, files: Path, tls: str
) -> None:
    """Its authority lies beside the pair, or is left to cert-manager; SIGTERM ends it with 0."""
    host, _, port = free_address().partition(":")
    probes = free_address()
    listen = f"{cluster.host_address}:{port}"
    command = flags(cluster, namespace, operator_namespace, listen, probes)
    settings = settings_of(cluster, namespace, operator_namespace)
    name = f"resize-statefulset-operator.{operator_namespace}"

    with part(files.parent, "webhook", *command, f"--tls={tls}", f"--tls-dir={files}") as process:
        wait_ready(cluster, process, probes)
        found = cluster.get("mutatingwebhookconfiguration", name) or {}
        if tls == "files":
            expose(cluster, settings, int(port))
            wait_asked(cluster, namespace)
        _, metrics = get(probes, "/metrics")
        process.popen.send_signal(signal.SIGTERM)
        cluster.wait(lambda: get(probes, "/readyz")[0] == 503, 4, "it is no longer ready")
        code = process.wait()

    injected = found["metadata"].get("annotations", {}).get("cert-manager.io/inject-ca-from")
    trusted = [each["clientConfig"].get("caBundle") for each in found["webhooks"]]
    assert host
    assert 0 == code
    assert "rso_reviews_total" in metrics
    assert (injected, bool(trusted[0])) == (
        (None, True) if tls == "files" else (f"{operator_namespace}/{SERVICE}", False)
    )


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["--tls=files"], "give --tls-dir with --tls files or cert-manager, and only then"),
        (["--tls-dir=x"], "give --tls-dir with --tls files or cert-manager, and only then"),
        (["--listen=0"], "--listen cannot be off"),
        (["--resizer-user=a'b"], "is no user; a ServiceAccount is"),
    ],
)
def test_flags_that_do_not_go_together_end_with_2(
    tmp_path: Path, wrong: list[str], words: str
) -> None:
    """Before anything starts, in a sentence."""
    with part(tmp_path, "webhook", *wrong) as process:
        code = process.wait()

    assert 2 == code
    assert words in " ".join(process.log.split())


@pytest.mark.timeout(180)
def test_a_rolling_restart_under_load_fails_no_request(
    cluster: Cluster, namespace: str, operator_namespace: str
) -> None:
    """Two replicas are exchanged one after the other while sets are changed without a pause."""
    settings = settings_of(cluster, namespace, operator_namespace)
    sets = Sets(cluster, namespace)
    sets.cluster.apply(statefulset(replicas=0), namespace)
    replicas = [Reviewer(cluster, settings).start() for _ in range(2)]
    load = Load(sets)
    try:
        for each in replicas:
            each.wait_ready()
        expose(cluster, settings, *(each.port for each in replicas))
        wait_asked(cluster, namespace)
        load.start()
        for number in range(2):
            old = replicas[number]
            replicas[number] = Reviewer(cluster, settings).start()
            replicas[number].wait_ready()
            expose_one(cluster, settings, number, replicas[number].port)
            load.wait_more(5)
            old.stop()  # answers for a farewell; nobody is sent to it any more
            load.wait_more(20)
    finally:
        load.stop()
        unregister(cluster, settings)
        for each in replicas:
            each.stop()

    assert [] == load.faults
    assert load.count > 50


class Load(threading.Thread):
    """Changes one of our annotations again and again."""

    def __init__(self, sets: Sets) -> None:
        super().__init__(daemon=True)
        self.count = 0
        self.faults: list[str] = []
        self._sets = sets
        self._is_over = threading.Event()

    def run(self) -> None:
        """Send requests until `stop`."""
        while not self._is_over.is_set():
            try:
                self._sets.annotate("db", max_size=f"{100 + self.count % 50}Gi")
            except Exception as fault:  # noqa: BLE001  all faults are counted
                self.faults.append(str(fault))
            self.count += 1

    def wait_more(self, requests: int) -> None:
        """Return when so many more requests have been answered."""
        target = self.count + requests
        self._sets.wait(lambda: self.count >= target, "requests are answered")

    def stop(self) -> None:
        """End, after the request that is under way."""
        self._is_over.set()
        if self.is_alive():
            self.join(30)


def test_kubectl_shows_a_warning_once(
    cluster: Cluster, namespace: str, operator_namespace: str
) -> None:
    """Two entries are registered, and only one of them answers an update."""
    settings = settings_of(cluster, namespace, operator_namespace)
    cluster.apply(statefulset(replicas=0), namespace)
    reviewer = Reviewer(cluster, settings).start()
    try:
        expose(cluster, settings, reviewer.port)
        wait_asked(cluster, namespace)
        words = ("-n", namespace, "annotate", "sts", "db", f"{PREFIX}novel=1")
        told = kubectl(cluster, *words).stderr
    finally:
        unregister(cluster, settings)
        reviewer.stop()

    assert 1 == told.count("is unknown to this version")
