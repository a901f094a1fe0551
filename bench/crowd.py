"""Thousands of sets with their claims, as a Helm chart leaves them in a cluster.

One set and one claim are made by the API server, with everything that it adds; their copies go
straight into etcd. One set in ten has a wish, which is satisfied.
"""

import base64
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from testbed.cluster import Cluster
from testbed.process import BedError
from tests.support.sets import PREFIX, statefulset

Json = dict[str, Any]
ROOT = Path(__file__).parent.parent
CLAIMS = 3  # of each set
SETS_IN_NAMESPACE = 100
SETS_WITH_WISH = 10  # one of so many
SETS_IN_TRANSACTION = 25  # with their claims 100 of etcd's 128 operations
SIZE = "10Gi"


def fill(cluster: Cluster, first: int, end: int) -> None:
    """Write the sets of these numbers, each with its claims.

    Raises: BedError.
    """
    models = _models(cluster)
    lines = b"".join(
        _transaction(models, range(start, min(start + SETS_IN_TRANSACTION, end)))
        for start in range(first, end, SETS_IN_TRANSACTION)
    )
    command = [sys.executable, "-m", "testbed", "enter", "--state", str(cluster.bed.state)]
    program = [sys.executable, str(ROOT / "bench" / "etcd.py")]
    done = subprocess.run(
        [*command, *program], input=lines, cwd=ROOT, capture_output=True, check=False
    )
    if done.returncode:
        raise BedError(done.stderr.decode(errors="replace").strip())


def _models(cluster: Cluster) -> tuple[Json, Json]:
    """Return a set and a claim of it as the API server stores them, then delete them."""
    namespace = cluster.make_namespace()
    name = "model"
    manifest = statefulset(name, sizes={"data": SIZE})
    manifest["metadata"]["labels"] = _labels(name)
    manifest["spec"]["template"]["metadata"]["labels"] = {"app": name} | _labels(name)
    manifest["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps(manifest),
        "meta.helm.sh/release-name": name,
        "meta.helm.sh/release-namespace": namespace,
    }
    cluster.apply(manifest, namespace)
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": f"data-{name}-0", "labels": {"app": name} | _labels(name)},
        "spec": manifest["spec"]["volumeClaimTemplates"][0]["spec"] | {"volumeName": "pvc-x"},
    }
    made = cluster.apply(claim, namespace)
    made["status"] = {
        "phase": "Bound",
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": SIZE},
    }
    model = cluster.get("statefulset", name, namespace)
    cluster.delete("namespace", namespace)
    if model is None:
        raise BedError("the model of all sets has gone")
    model["status"] = {
        "observedGeneration": 1,
        "replicas": CLAIMS,
        "readyReplicas": CLAIMS,
        "availableReplicas": CLAIMS,
        "updatedReplicas": CLAIMS,
        "currentReplicas": CLAIMS,
        "currentRevision": f"{name}-5d4c8b6f7",
        "updateRevision": f"{name}-5d4c8b6f7",
    }
    return model, made


def _labels(name: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "postgresql",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/managed-by": "Helm",
        "app.kubernetes.io/version": "17.2.0",
        "helm.sh/chart": "postgresql-16.4.1",
    }


def _transaction(models: tuple[Json, Json], numbers: range) -> bytes:
    puts = [
        {"requestPut": {"key": _base64(key.encode()), "value": _base64(body)}}
        for number in numbers
        for key, body in _entries(models, number)
    ]
    return json.dumps({"success": puts}).encode() + b"\n"


def _entries(models: tuple[Json, Json], number: int) -> Iterator[tuple[str, bytes]]:
    """Yield etcd's key and value of a set and of each of its claims."""
    namespace = f"team-{number // SETS_IN_NAMESPACE:03}"
    name = f"postgresql-{number:05}"
    model, claim = models
    annotations = {}
    if number % SETS_WITH_WISH == 0:
        annotations = {f"{PREFIX}resize-0": SIZE, f"{PREFIX}status": f"Done: data={SIZE}"}
    yield (
        f"/registry/statefulsets/{namespace}/{name}",
        _copy(model, namespace, name, "model", name, annotations),
    )
    for ordinal in range(CLAIMS):
        key = f"data-{name}-{ordinal}"
        yield (
            f"/registry/persistentvolumeclaims/{namespace}/{key}",
            _copy(claim, namespace, key, "model", name, {}),
        )


def _copy(
    body: Json, namespace: str, name: str, old: str, new: str, annotations: dict[str, str]
) -> bytes:
    text = json.dumps(body).replace(f'"{old}"', f'"{new}"').replace(f'\\"{old}\\"', f'\\"{new}\\"')
    text = text.replace(f'"{old}-5d4c8b6f7"', f'"{new}-5d4c8b6f7"')
    copied = json.loads(text)
    copied["metadata"] |= {"name": name, "namespace": namespace, "uid": str(uuid.uuid4())}
    copied["metadata"].pop("resourceVersion")  # etcd gives it
    if annotations:
        copied["metadata"]["annotations"] |= annotations
    if "volumeName" in copied["spec"]:
        copied["spec"]["volumeName"] = f"pvc-{copied['metadata']['uid']}"
    return json.dumps(copied).encode()


def _base64(text: bytes) -> str:
    return base64.b64encode(text).decode()
