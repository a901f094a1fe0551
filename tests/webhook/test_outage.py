"""The webhook is away or hangs: everything but a change of sizes goes on at its speed."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rso.app.registration import TIMEOUT_SECONDS
from testbed.api import ApiRefusal
from testbed.cluster import Cluster
from tests.support.operators import Operator, settings_for
from tests.support.recording import Record
from tests.support.reviewers import (
    Reviewer,
    expose,
    expose_one,
    settings_of,
    unregister,
    wait_asked,
)
from tests.support.sets import Sets, statefulset
from tests.support.silence import silent_port

COUNT = 20
ALL = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}


@contextmanager
def unreachable(cluster: Cluster, namespace: str, own: str, user: str, way: str) -> Iterator[None]:
    """Register a webhook that works, then let it be away, or accept and never answer."""
    settings = settings_of(cluster, namespace, own, resizer_user=user)
    reviewer = Reviewer(cluster, settings).start()
    try:
        expose(cluster, settings, reviewer.port)
        wait_asked(cluster, namespace)
        reviewer.stop()
        if way == "stopped":
            yield
            return
        with silent_port(cluster.host_address) as port:
            expose_one(cluster, settings, 0, port)
            yield
    finally:
        unregister(cluster, settings)
        reviewer.stop()


@pytest.mark.parametrize("way", ["stopped", "hanging"])
def test_without_an_answer_only_a_change_of_sizes_waits(
    cluster: Cluster,
    namespace: str,
    operator_namespace: str,
    key_dir: Path,
    record: Record,
    way: str,
) -> None:
    """Create, image, scale and delete of 20 sets pass; our recreate completes; a size is refused.

    The refusal is a 500 that names the webhook: neither Invalid nor Conflict (kubernetes.md W16).
    """
    account = cluster.service_account(operator_namespace, cluster_rules=[ALL])
    sets = Sets(cluster, namespace)
    sets.make(statefulset("old", replicas=1))
    sets.annotate("old", resize_0="2Gi")
    own = settings_for(cluster, operator_namespace, key_dir, kubeconfig=account.kubeconfig)
    names = [f"db{number}" for number in range(COUNT)]

    with unreachable(cluster, namespace, operator_namespace, account.username, way):
        slowest = {
            what: max(_timed(act, name) for name in names) for what, act in _everyday(sets).items()
        }
        sets.cluster.apply(statefulset(replicas=0), namespace)
        with pytest.raises(ApiRefusal, match=r"failed calling webhook \"update\.resize") as size:
            sets.cluster.apply(statefulset(replicas=0, sizes={"data": "2Gi"}), namespace)
        operator = Operator(cluster, own, namespace).start()
        try:
            sets.wait_status("old", "Done: data=2Gi")
        finally:
            operator.stop()

    shown = ", ".join(f"{what} {seconds * 1000:.0f} ms" for what, seconds in slowest.items())
    record(f"{way}: the slowest of {COUNT}: {shown}")
    assert 500 == size.value.code
    assert max(slowest.values()) < TIMEOUT_SECONDS  # who asks the webhook waits so long


def _everyday(sets: Sets) -> dict[str, Callable[[str], object]]:
    merge, namespace = sets.cluster.merge, sets.namespace
    image = {"containers": [{"name": "main", "image": "localhost/new:2"}]}
    return {
        "create": lambda name: sets.cluster.apply(statefulset(name, replicas=0), namespace),
        "image": lambda name: merge(
            "statefulset", name, namespace, {"spec": {"template": {"spec": image}}}
        ),
        "scale": lambda name: merge("statefulset", name, namespace, {"spec": {"replicas": 0}}),
        "delete": lambda name: sets.cluster.delete("statefulset", name, namespace, "Orphan"),
    }


def _timed(act: Callable[[str], object], name: str) -> float:
    began = time.monotonic()
    act(name)
    return time.monotonic() - began
