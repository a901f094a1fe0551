"""Fixtures of the command-line tests: `rso` as people run it, and sets to look at."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from testbed.cluster import Cluster
from tests.cli.running import Rso
from tests.support.fixtures import key_dir, operator_namespace, sets
from tests.support.fixtures import plain_run as run
from tests.support.sets import Sets, statefulset

__all__ = ["key_dir", "operator_namespace", "run", "sets"]


@dataclass(frozen=True)
class Shop:
    """A namespace that is only looked at: `db` with a Service of its own, `web`, `cache`.

    `db` has two quiet Pods and two claim templates, `web` an unusable wish, `cache` none at all.
    """

    sets: Sets
    operator_namespace: str
    rso: Rso


@pytest.fixture(scope="session")
def shop(cluster: Cluster) -> Iterator[Shop]:
    """Yield the namespace that all tests which change nothing share."""
    namespace, operator = cluster.make_namespace(), cluster.make_namespace()
    made = Sets(cluster, namespace)
    made.make(statefulset("cache", replicas=1), settled=False)
    wish = {"resize-statefulset-operator/resize-0": "much"}
    made.make(statefulset("web", replicas=1, annotations=wish), settled=False)
    db = made.make(statefulset(replicas=2, sizes={"data": "1Gi", "wal": "1Gi"}))
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db"}
    metadata = {"name": "db", "ownerReferences": [{**owner, "uid": db["metadata"]["uid"]}]}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata}
    cluster.apply({**service, "spec": {"ports": [{"port": 80}]}}, namespace)
    yield Shop(made, operator, Rso(cluster.kubeconfig, namespace, operator))
    cluster.leave_namespace(namespace)
    cluster.leave_namespace(operator)


@pytest.fixture
def rso(cluster: Cluster, namespace: str, operator_namespace: str) -> Rso:
    """Return `rso` for the test's own namespace."""
    return Rso(cluster.kubeconfig, namespace, operator_namespace)
