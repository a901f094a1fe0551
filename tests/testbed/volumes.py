"""Claims and sets with volumes, for the tests of the bed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from testbed.cluster import Cluster

Object = dict[str, Any]


def claim_spec(storage_class: str, size: str) -> Object:
    """Return the spec of a claim."""
    return {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": storage_class,
        "resources": {"requests": {"storage": size}},
    }


def bound_claim(cluster: Cluster, namespace: str, storage_class: str, size: str) -> str:
    """Return the name of a new claim that is bound."""
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": storage_class},
        "spec": claim_spec(storage_class, size),
    }
    cluster.apply(claim, namespace)
    cluster.wait(
        lambda: status(cluster, namespace, storage_class).get("phase") == "Bound", 60, "binding"
    )
    return storage_class


def stateful_set(storage_class: str, size: str, replicas: int = 1) -> Object:
    """Return a set named db whose Pods mount a volume at /data."""
    container = {
        "name": "main",
        "image": "localhost/testbed/busybox:1",
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db"},
        "spec": {
            "serviceName": "db",
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "db"}},
            "template": {
                "metadata": {"labels": {"app": "db"}},
                "spec": {"containers": [container]},
            },
            "volumeClaimTemplates": [
                {"metadata": {"name": "data"}, "spec": claim_spec(storage_class, size)}
            ],
        },
    }


def ask(cluster: Cluster, namespace: str, claim: str, size: str) -> None:
    """Ask for another size of a claim."""
    patch = {"spec": {"resources": {"requests": {"storage": size}}}}
    cluster.merge("pvc", claim, namespace, patch)


def status(cluster: Cluster, namespace: str, claim: str) -> Object:
    """Return the status of a claim; empty while there is none."""
    found: Object = (cluster.get("pvc", claim, namespace) or {}).get("status", {})
    return found


def capacity(cluster: Cluster, namespace: str, claim: str) -> str | None:
    """Return the size that a claim has."""
    size: str | None = status(cluster, namespace, claim).get("capacity", {}).get("storage")
    return size


def resize_status(cluster: Cluster, namespace: str, claim: str) -> str | None:
    """Return what became of the last size asked for."""
    statuses = status(cluster, namespace, claim).get("allocatedResourceStatuses", {})
    word: str | None = statuses.get("storage")
    return word


def ready_replicas(cluster: Cluster, namespace: str) -> int:
    """Return how many Pods of the set are ready."""
    found = cluster.get("statefulset", "db", namespace) or {}
    count: int = found.get("status", {}).get("readyReplicas", 0)
    return count
