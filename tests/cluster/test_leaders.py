"""Several operators: one works, the next one takes over in time."""

import json
import time
from pathlib import Path

import pytest

from rso.kube.lease import DURATION_SECONDS
from rso.kube.transport import Request
from tests.cluster.looks import count, metric, writes
from tests.support.fixtures import Run
from tests.support.operators import Operator, make_keys, settings_for
from tests.support.recording import Record
from tests.support.sets import (
    PREFIX,
    Json,
    Sets,
    Snapshot,
    check_unharmed,
    statefulset,
    template_sizes,
)

TAKEOVER_SECONDS = 20.0
AT_ONCE_SECONDS = DURATION_SECONDS - 3  # much sooner than a Lease that nobody gave back ends


def leads(operator: Operator) -> bool:
    return metric(operator, "rso_leader") == 1


@pytest.mark.parametrize(
    ("is_killed", "most_seconds"),
    [
        pytest.param(True, TAKEOVER_SECONDS, id="killed"),
        pytest.param(False, AT_ONCE_SECONDS, id="stopped"),
    ],
)
def test_a_standby_takes_over(
    sets: Sets, run: Run, record: Record, most_seconds: float, *, is_killed: bool
) -> None:
    """A standby has complete caches, writes nothing, and takes over in time with the work left."""
    sets.make(statefulset(replicas=0))

    with run(leader_elect=True) as first:
        sets.wait(lambda: leads(first), "the first one leads")
        with run(leader_elect=True) as second:
            assert second.resizer is not None
            is_warm = second.resizer.missing() is None
            written = writes(second)
            started = time.monotonic()
            first.kill() if is_killed else first.stop()
            sets.annotate("db", resize_0="2Gi")
            sets.wait(lambda: leads(second), "the second one leads", 40)
            seconds = time.monotonic() - started
            sets.wait_status("db", "Done: data=2Gi")

    record(f"taken over after {seconds:.1f} s")
    assert is_warm
    assert [] == written == writes(first)
    assert seconds < most_seconds


def test_87_two_operators_on_one_lease_recreate_once(sets: Sets, run: Run) -> None:
    """Of two operators only the leader writes: one delete and one create in total."""
    sets.make(statefulset(replicas=0))

    with run(leader_elect=True) as first, run(leader_elect=True) as second:
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done: data=2Gi")

    both = sorted(len(writes(each)) for each in (first, second))
    assert both[0] == 0 < both[1]
    deletes = count(first, "delete statefulsets") + count(second, "delete statefulsets")
    assert deletes == 1


def test_87_two_operators_by_mistake_recreate_once(sets: Sets, run: Run) -> None:
    """Even two operators that both believe to lead delete and create the set once in total."""
    sets.make(statefulset(replicas=2))

    with run() as first, run() as second:
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done: data=2Gi")

    for words in ("delete statefulsets", "create statefulsets"):
        assert 1 == count(first, words) + count(second, words)
    assert template_sizes(sets.get("db")) == {"data": "2Gi"}


def test_87_two_installations_recreate_each_set_once(
    sets: Sets, operator_namespace: str, tmp_path: Path
) -> None:
    """Two installations, each with its own namespace, Lease, backups and key, harm no set.

    Each set is deleted and created once in total, its Pods stay, and no backup is left active.
    """
    names = [f"db{number}" for number in range(4)]
    for name in names:
        sets.make(statefulset(name, replicas=1), settled=False)
    sets.wait(lambda: all(sets.is_settled(name) for name in names), "all Pods are quiet")
    before = {name: Snapshot.of(sets, name) for name in names}
    other_namespace = sets.cluster.make_namespace()
    both = [
        Operator(
            sets.cluster,
            settings_for(sets.cluster, where, make_keys(tmp_path / where), leader_elect=True),
            sets.namespace,
        ).start()
        for where in (operator_namespace, other_namespace)
    ]
    try:
        sets.wait(lambda: all(leads(operator) for operator in both), "both lead")
        for name in names:
            sets.annotate(name, resize_0="2Gi")
        for name in names:
            sets.wait_status(name, "Done: data=2Gi")
        spaces = (operator_namespace, other_namespace)
        sets.wait(lambda: not any(active(sets, each) for each in spaces), "no backup is left")
        # One without a backup of its own says Done while the controller still adopts the Pods.
        sets.wait(lambda: all(owns_its_pods(sets, name) for name in names), "Pods are adopted")
    finally:
        for operator in both:
            operator.stop()
        sets.cluster.leave_namespace(other_namespace)

    assert dict.fromkeys(names, (1, 1)) == {
        name: (done(both, "delete", name), done(both, "create", name)) for name in names
    }
    for name in names:
        check_unharmed(before[name], Snapshot.of(sets, name))


def owns_its_pods(sets: Sets, name: str) -> bool:
    """Return whether each Pod of a set names it as an owner."""
    pods = sets.pods(name).values()
    return all(pod["metadata"].get("ownerReferences") for pod in pods)


def active(sets: Sets, where: str) -> list[Json]:
    """Return the backups that are not superseded."""
    labels = f"app.kubernetes.io/component=backup,{PREFIX}phase!=superseded"
    return sets.cluster.list("configmap", where, labels)


def done(operators: list[Operator], verb: str, name: str) -> int:
    """Return how many accepted requests of all operators did this to a set."""
    return sum(
        (sent.request.verb, sent.request.resource.plural) == (verb, "statefulsets")
        and name in (sent.request.name, _name(sent.request))
        for operator in operators
        for sent in operator.wire.changes()
    )


def _name(request: Request) -> str:
    body = json.loads(request.body or b"{}")
    return str(body.get("metadata", {}).get("name", ""))
