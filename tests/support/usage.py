"""Subjects of usage sources, and what a kubelet says of them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from rso.app.usage.source import Subject
from rso.core.usage import Sample

Json = dict[str, Any]
GIB = 2**30
TAKEN_AT = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
SAMPLE = Sample(
    claim_uid="uid-data-db-0",
    taken_at=TAKEN_AT,
    capacity_bytes=10 * GIB,
    used_bytes=7 * GIB,
    available_bytes=3 * GIB,
    inodes=1000,
    inodes_used=10,
)


def subject(number: int = 0, **changes: Any) -> Subject:  # noqa: ANN401  any field
    """Return claim data-db-N and Pod db-N on node node-N at 127.0.0.N+1."""
    made = Subject(
        namespace="shop",
        claim=f"data-db-{number}",
        claim_uid=f"uid-data-db-{number}",
        pod=f"db-{number}",
        pod_uid=f"uid-db-{number}",
        node=f"node-{number}",
        host_ip=f"127.0.0.{number + 1}",
        container="main",
        mount_path="/data",
    )
    return replace(made, **changes)


def sample(number: int = 0, **changes: Any) -> Sample:  # noqa: ANN401  any field
    """Return the sample of claim data-db-N."""
    return replace(SAMPLE, **{"claim_uid": f"uid-data-db-{number}", **changes})


def volume(number: int = 0, **changes: object) -> Json:
    """Return what a kubelet says of claim data-db-N; None leaves a field out."""
    said: Json = {
        "time": "2026-11-01T12:00:00Z",
        "availableBytes": 3 * GIB,
        "capacityBytes": 10 * GIB,
        "usedBytes": 7 * GIB,
        "inodesFree": 990,
        "inodes": 1000,
        "inodesUsed": 10,
        "name": "data",
        "pvcRef": {"name": f"data-db-{number}", "namespace": "shop"},
        **changes,
    }
    return {name: value for name, value in said.items() if value is not None}


def pod(number: int = 0, *volumes: Mapping[str, object]) -> Json:
    """Return what a kubelet says of Pod db-N; without volumes it mounts its claim."""
    token = {"time": "2026-11-01T12:00:00Z", "capacityBytes": 1, "name": "kube-api-access-x"}
    reference = {"name": f"db-{number}", "namespace": "shop", "uid": f"uid-db-{number}"}
    return {
        "podRef": reference,
        "containers": [{"name": "main", "cpu": {"usageNanoCores": 1}}],
        "volume": [token, *(volumes or [volume(number)])],
    }


def summary(number: int = 0, *pods: Mapping[str, object]) -> Json:
    """Return what the kubelet of node-N says; without Pods it has Pod db-N."""
    return {"node": {"nodeName": f"node-{number}"}, "pods": [*(pods or [pod(number)])]}
