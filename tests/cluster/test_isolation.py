"""One bad set, one unreadable one, one slow namespace: the others go on."""

import threading
from pathlib import Path

import pytest

from rso.kube.transport import Request
from tests.cluster.conftest import Interfere
from tests.cluster.looks import metric, writes
from tests.support.fixtures import Run
from tests.support.sets import Json, Sets, statefulset
from tests.support.webhooks import webhook

WORKERS = 4


def test_a_poisoned_set_delays_nobody(sets: Sets, interfere: Interfere) -> None:
    """A set whose every request fails, and one that cannot be read, leave others alone."""
    for name in ("poisoned", "fine"):
        sets.make(statefulset(name, replicas=0))

    def fail(request: Request) -> None:
        if request.name == "poisoned" and request.verb in ("patch", "get"):
            raise RuntimeError("a bug of ours")

    with interfere(before=fail) as operator:
        for name in ("poisoned", "fine"):
            sets.annotate(name, resize_0="2Gi")
        sets.wait_status("fine", "Done: data=2Gi")

    assert "" == sets.status("poisoned")
    assert metric(operator, "rso_reconciles_total", result="error") > 0


def test_a_set_with_an_absurd_size_delays_nobody(sets: Sets, run: Run) -> None:
    """A template size beyond all storage, which Kubernetes stores, stays; others are done."""
    odd = sets.cluster.apply(
        statefulset("odd", replicas=0, sizes={"data": "1e1000"}), sets.namespace
    )
    sets.make(statefulset("fine", replicas=0))

    with run() as operator:
        for name in ("odd", "fine"):
            sets.annotate(name, resize_0="2Gi")
        sets.wait_status("fine", "Done: data=2Gi")

    assert odd["metadata"]["uid"] == sets.get("odd")["metadata"]["uid"]
    assert odd["spec"] == sets.get("odd")["spec"]
    assert 1 == writes(operator).count("delete statefulsets")


@pytest.mark.changes("looks")  # others still work
def test_a_slow_namespace_delays_no_other(sets: Sets, interfere: Interfere, tmp_path: Path) -> None:
    """While every question about one namespace hangs, a set of another one is done."""
    other = Sets(sets.cluster, sets.cluster.make_namespace())
    answers = threading.Event()

    def hang(_: Json) -> Json:
        answers.wait(8)
        return {"allowed": True}

    names = [f"slow-{number}" for number in range(2 * WORKERS)]
    try:
        for name in names:
            sets.make(statefulset(name, replicas=0), settled=False)
        other.make(statefulset(replicas=0))
        scope = (sets.namespace, other.namespace)
        with (
            webhook(sets.cluster, sets.namespace, tmp_path, hang),
            interfere(namespaces=scope, concurrency=WORKERS) as operator,
        ):
            for name in names:
                sets.annotate(name, resize_0="2Gi")
            sets.wait(lambda: metric(operator, "rso_reconciles_total") >= WORKERS, "it works")
            other.annotate("db", resize_0="2Gi")
            other.wait_status("db", "Done: data=2Gi")
            slow = {sets.status(name) for name in names}
            answers.set()
    finally:
        answers.set()
        sets.cluster.leave_namespace(other.namespace)

    assert "Done: data=2Gi" not in slow
