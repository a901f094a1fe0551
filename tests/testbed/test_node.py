"""A real node: file systems grow under running Pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.testbed.volumes import ask, capacity, ready_replicas, stateful_set, status

if TYPE_CHECKING:
    from testbed.cluster import Cluster

CLAIM = "data-db-0"


def run_set(cluster: Cluster, namespace: str, storage_class: str, size: str) -> None:
    """Make a set of one Pod and return when it is ready, a file written."""
    cluster.apply(stateful_set(storage_class, size), namespace)
    cluster.wait(lambda: ready_replicas(cluster, namespace) == 1, 90, "a ready Pod")
    shell(cluster, namespace, "echo kept > /data/file")


def shell(cluster: Cluster, namespace: str, script: str) -> str:
    """Return what a script in the Pod prints."""
    return cluster.kubectl("exec", f"--namespace={namespace}", "db-0", "--", "sh", "-c", script)


def mounted_mebibytes(cluster: Cluster, namespace: str) -> int:
    """Return the size of the file system as the Pod sees it."""
    return int(shell(cluster, namespace, "df -m /data").split()[-5])


def pod(cluster: Cluster, namespace: str) -> tuple[str, int]:
    """Return the uid of the Pod and how often it restarted."""
    found: Any = cluster.get("pod", "db-0", namespace)
    return found["metadata"]["uid"], found["status"]["containerStatuses"][0]["restartCount"]


@pytest.mark.parametrize(
    ("storage_class", "size", "bigger", "mebibytes"),
    [
        pytest.param("xfs", "300Mi", "600Mi", 500, id="xfs"),
        pytest.param("btrfs", "128Mi", "256Mi", 250, id="btrfs"),
    ],
)
def test_a_mounted_volume_grows(
    node_cluster: Cluster,
    namespace: str,
    storage_class: str,
    size: str,
    bigger: str,
    mebibytes: int,
) -> None:
    """The Pod sees a bigger file system with its data, and neither restarts nor changes."""
    run_set(node_cluster, namespace, storage_class, size)
    before = pod(node_cluster, namespace)
    ask(node_cluster, namespace, CLAIM, bigger)
    node_cluster.wait(lambda: capacity(node_cluster, namespace, CLAIM) == bigger, 60, "growth")

    assert mounted_mebibytes(node_cluster, namespace) >= mebibytes
    assert shell(node_cluster, namespace, "cat /data/file") == "kept\n"
    assert pod(node_cluster, namespace) == before


def test_a_volume_that_grows_unmounted(node_cluster: Cluster, namespace: str) -> None:
    """Class ``ext4`` waits until no Pod has the volume, then grows with its data."""
    run_set(node_cluster, namespace, "ext4", "64Mi")
    ask(node_cluster, namespace, CLAIM, "128Mi")
    node_cluster.wait(
        lambda: "ControllerResizeError" in conditions(node_cluster, namespace), 60, "the refusal"
    )
    scale(node_cluster, namespace, 0)
    node_cluster.wait(
        lambda: resize_state(node_cluster, namespace) == "NodeResizePending", 60, "growth"
    )
    scale(node_cluster, namespace, 1)
    node_cluster.wait(lambda: capacity(node_cluster, namespace, CLAIM) == "128Mi", 60, "capacity")
    node_cluster.wait(lambda: ready_replicas(node_cluster, namespace) == 1, 60, "a ready Pod")

    assert mounted_mebibytes(node_cluster, namespace) > 100
    assert shell(node_cluster, namespace, "cat /data/file") == "kept\n"


def test_a_node_that_cannot_grow_a_volume(node_cluster: Cluster, namespace: str) -> None:
    """Class ``broken-node`` grows at the controller and fails at the node; the claim says so."""
    run_set(node_cluster, namespace, "broken-node", "300Mi")
    ask(node_cluster, namespace, CLAIM, "600Mi")

    node_cluster.wait(
        lambda: "NodeResizeError" in conditions(node_cluster, namespace), 60, "the failure"
    )
    assert capacity(node_cluster, namespace, CLAIM) == "300Mi"


def conditions(cluster: Cluster, namespace: str) -> set[str]:
    """Return the types of the claim's conditions that hold."""
    listed = status(cluster, namespace, CLAIM).get("conditions", [])
    return {entry["type"] for entry in listed if entry["status"] == "True"}


def resize_state(cluster: Cluster, namespace: str) -> str | None:
    """Return what became of the size asked for."""
    found = status(cluster, namespace, CLAIM).get("allocatedResourceStatuses", {})
    word: str | None = found.get("storage")
    return word


def scale(cluster: Cluster, namespace: str, replicas: int) -> None:
    """Ask for that many Pods."""
    cluster.merge("statefulset", "db", namespace, {"spec": {"replicas": replicas}})
