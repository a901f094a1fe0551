"""Idle means idle (O9), refusals cost little, and nothing of a set is told (O11)."""

import dataclasses
import json

import pytest

from tests.cluster.looks import is_status, metric, writes
from tests.support.fixtures import Run
from tests.support.operators import Operator
from tests.support.sets import PREFIX, Json, Sets, statefulset
from tests.support.wire import Sent

QUIET = ("leases", "events")
RESYNCS = 10


def asked(operator: Operator) -> list[str]:
    """Return all requests but watches and the Lease's."""
    return [
        each.words
        for each in operator.wire.sent
        if each.request.verb != "watch" and each.request.resource.plural not in QUIET
    ]


def resync(sets: Sets, operator: Operator, name: str = "db") -> None:
    """Have the operator look at the set once more, because of an annotation of others."""
    before = metric(operator, "rso_reconciles_total")
    metadata = {"annotations": {"example.com/touched": str(before)}}
    sets.cluster.merge("statefulset", name, sets.namespace, {"metadata": metadata})
    sets.wait(lambda: metric(operator, "rso_reconciles_total") > before, "it has looked")


def test_a_finished_set_causes_no_request(sets: Sets, run: Run) -> None:
    """Ten resyncs after the end nothing has been asked or written but watches and the Lease."""
    sets.make(statefulset(replicas=1))

    with run(leader_elect=True) as operator:
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done")
        resync(sets, operator)
        before = asked(operator)
        for _ in range(RESYNCS):
            resync(sets, operator)
        after = asked(operator)

    assert before == after


def test_a_finished_set_costs_a_new_operator_no_write(sets: Sets, run: Run) -> None:
    """An operator that starts over a finished set writes nothing."""
    sets.make(statefulset(replicas=1))
    with run():
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done")

    with run() as operator:
        resync(sets, operator)

    assert [] == operator.wire.changes()


def test_91_a_refused_set_is_asked_about_ever_more_rarely(sets: Sets, run: Run) -> None:
    """A hundred looks at a refused set cost few questions, one status, one Event, one series."""
    sets.make(statefulset(replicas=1, storage_class="fixed"), settled=False)

    with run() as operator:
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Blocked: NotExpandable")
        resync(sets, operator)
        before = number_of_series(operator)
        for _ in range(100):
            resync(sets, operator)
        after = number_of_series(operator)
        questions = [words for words in asked(operator) if "storageclasses" in words]
        series = metric(operator, "rso_statefulset_state")
        blocked = metric(operator, "rso_blocked_statefulsets", reason="NotExpandable")
        told = [reason for reason, _ in sets.events("db")]

    assert [] == writes(operator)
    assert 1 == blocked
    assert 1 == sum(is_status(each) for each in operator.wire.changes())
    assert 1 <= len(questions) <= 8  # pauses of 1, 2, 4, 8 ... seconds
    assert ["NotExpandable"] == told
    assert 1 == series
    assert before == after


def number_of_series(operator: Operator) -> int:
    """Return how many series an operator has."""
    assert operator.resizer is not None
    lines = operator.resizer.metrics.render().decode().splitlines()
    return sum(not line.startswith("#") for line in lines)


def test_91_a_finished_set_has_no_series_of_its_own(sets: Sets, run: Run) -> None:
    """A set has one series while it waits and none once it is done."""
    sets.make(statefulset(replicas=0), settled=False)

    with run() as operator:
        sets.annotate("db", resize_0="2Gi", paused="true")
        sets.wait_status("db", "Waiting: Paused")
        sets.wait(lambda: metric(operator, "rso_statefulset_state", name="db") == 1, "one series")
        sets.annotate("db", paused=None)
        sets.wait_status("db", "Done: data=2Gi")
        sets.wait(lambda: metric(operator, "rso_statefulset_state", name="db") == 0, "none")

    assert b'name="db"' not in operator.resizer.metrics.render()  # type: ignore[union-attr]  # it ran


CANARY = "canary-7f3a9c"


@pytest.mark.parametrize("refusal", ["", "fixed"], ids=["a whole resize", "a refusal"])
def test_o11_nothing_of_a_set_is_told(
    sets: Sets,
    run: Run,
    operator_namespace: str,
    caplog: pytest.LogCaptureFixture,
    refusal: str,
) -> None:
    """Env, args and annotations of others are in no log, Event, metric, ConfigMap or status."""
    manifest = statefulset(replicas=1, storage_class=refusal or "instant")
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    container |= {"env": [{"name": "PASSWORD", "value": CANARY}], "args": [CANARY]}
    manifest["metadata"]["annotations"] = {"example.com/note": CANARY}
    sets.make(manifest, settled=not refusal)
    kept = list[Json]()
    caplog.set_level("DEBUG")

    with run() as operator:
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Blocked" if refusal else "Done")
        resync(sets, operator)
        kept += sets.cluster.list("configmap", operator_namespace)
        kept += sets.cluster.list("event", sets.namespace)
    assert operator.resizer is not None
    said = {
        "log": caplog.text + str([vars(each) for each in caplog.records]),
        "metrics": operator.resizer.metrics.render().decode(),
        "status": sets.status("db"),
        "objects": json.dumps(kept),
        "written": str(
            [dataclasses.asdict(each.request)["body"] for each in told_requests(operator)]
        ),
    }

    assert [] == [where for where, text in said.items() if CANARY in text]
    assert sets.get("db")["metadata"]["annotations"]["example.com/note"] == CANARY
    assert PREFIX in json.dumps(sets.get("db")["metadata"]["annotations"])


def told_requests(operator: Operator) -> list[Sent]:
    """Return the changes of other kinds than sets: those hold the set itself."""
    return [
        each
        for each in operator.wire.sent
        if each.request.changes and each.request.resource.plural != "statefulsets"
    ]
