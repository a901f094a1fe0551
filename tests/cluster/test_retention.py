"""Sets with `whenDeleted: Delete`: no claim is lost, and the policy always comes back."""

import pytest

from rso.kube.transport import Request, Response
from tests.cluster.conftest import Interfere
from tests.cluster.looks import wait_killed, writes
from tests.support.fixtures import Run
from tests.support.operators import Operator
from tests.support.recording import Record
from tests.support.sets import (
    PREFIX,
    Json,
    Sets,
    Snapshot,
    check_unharmed,
    make_unready,
    statefulset,
)
from tests.support.wire import Crash

DELETE: Json = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}


def policy(sets: Sets) -> tuple[str, str | None]:
    """Return the policy of `db` and the annotation that names the one to restore."""
    found = sets.get("db")
    annotations = found["metadata"].get("annotations", {})
    kept = found["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"]
    return kept, annotations.get(f"{PREFIX}when-deleted")


def owners(sets: Sets) -> dict[str, list[str]]:
    """Return {claim: uids of its owners}."""
    return {
        name: [each["uid"] for each in claim["metadata"].get("ownerReferences", [])]
        for name, claim in sets.claims().items()
    }


def test_14_claims_left_by_a_scale_down_survive(sets: Sets, run: Run, record: Record) -> None:
    """Claims without a Pod lose their reference before the delete, and none is collected."""
    sets.make(statefulset(replicas=3, **DELETE))
    sets.cluster.merge("statefulset", "db", sets.namespace, {"spec": {"replicas": 1}})
    sets.wait(lambda: len(sets.pods("db")) == 1, "the set is scaled down")
    before = Snapshot.of(sets, "db")

    with run() as operator:
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done")
        uid = sets.get("db")["metadata"]["uid"]
        sets.wait(lambda: owners(sets)["data-db-0"] == [uid], "the claim is owned again")

    record(f"references removed by us: {removed_references(operator)} of 3")
    assert ("Delete", None) == policy(sets)
    assert {"2Gi"} == set(sets.requests().values())
    check_unharmed(before, Snapshot.of(sets, "db"))
    assert {uid} >= {each for uids in owners(sets).values() for each in uids}


def removed_references(operator: Operator) -> int:
    """Return how many claims lost their reference by our patch."""
    return sum(
        sent.request.resource.plural == "persistentvolumeclaims"
        and b"ownerReferences" in (sent.request.body or b"")
        for sent in operator.wire.changes()
    )


def test_15_claims_of_an_unready_ordered_set_survive(sets: Sets, run: Run) -> None:
    """With Pod 0 unready the controller removes no reference; we do, and the set is recreated."""
    sets.make(statefulset(replicas=2, podManagementPolicy="OrderedReady", **DELETE))
    make_unready(sets, "db-0")
    sets.wait(lambda: sets.get("db")["status"].get("readyReplicas") == 1, "Pod 0 is not ready")
    before = Snapshot.of(sets, "db")

    with run() as operator:
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done")

    assert 2 == removed_references(operator)
    assert ("Delete", None) == policy(sets)
    check_unharmed(before, Snapshot.of(sets, "db"))


EXITS = [
    pytest.param({}, {}, "", id="withdrawn"),
    pytest.param({"resize_0": "1Gi"}, {}, "", id="satisfied"),
    pytest.param({"resize_0": "3000Gi"}, {}, "Blocked: OverBound", id="blocked"),
    pytest.param({"resize_0": "nonsense"}, {}, "Blocked: Malformed", id="malformed"),
    pytest.param({"resize_0": "2Gi", "paused": "true"}, {}, "Waiting: Paused", id="paused"),
    pytest.param(
        {"resize_0": "2Gi"},
        {"finalizers": ["example.com/hold"]},
        "Blocked: ForeignFinalizer",
        id="forbidden",
    ),
    pytest.param({"resize_0": "2Gi", "recreate": "false"}, {}, "Done", id="claims only"),
]


@pytest.mark.parametrize(("wish", "metadata", "status"), EXITS)
def test_16_the_policy_comes_back_when_the_recreate_does_not_go_on(
    sets: Sets, run: Run, wish: dict[str, str], metadata: Json, status: str
) -> None:
    """A set found behind the Retain step whose recreate is off has its own policy restored."""
    sets.make(statefulset(replicas=1, **DELETE), settled=False)
    retain = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain"}}
    sets.annotate("db", when_deleted="Delete", **wish)
    patch = {"spec": retain, "metadata": metadata}
    sets.cluster.merge("statefulset", "db", sets.namespace, patch)
    before = sets.get("db")["metadata"]["uid"]

    with run() as operator:
        sets.wait(lambda: policy(sets) == ("Delete", None), "the policy is restored")
        sets.wait_status("db", status)

    assert before == sets.get("db")["metadata"]["uid"]
    assert "delete statefulsets" not in writes(operator)
    sets.cluster.merge("statefulset", "db", sets.namespace, {"metadata": {"finalizers": None}})


@pytest.mark.parametrize(
    ("wish", "size", "ends"),
    [
        pytest.param({"resize_0": None}, "2Gi", "Done: data=1Gi", id="withdrawn"),
        pytest.param({"resize_0": "3Gi"}, "3Gi", "Done: data=3Gi", id="raised"),
        pytest.param({}, "2Gi", "Done: data=2Gi", id="unchanged"),
    ],
)
def test_16_killed_after_the_retain_step_the_next_one_goes_on(
    sets: Sets, run: Run, interfere: Interfere, wish: dict[str, str | None], size: str, ends: str
) -> None:
    """Whatever the wish has become after a crash there, the original policy comes back."""
    sets.make(statefulset(replicas=1, **DELETE))

    def crash(request: Request, _: Response) -> None:
        if request.changes and b"whenDeleted" in (request.body or b""):
            raise Crash

    with interfere(after=crash) as first:
        sets.annotate("db", resize_0="2Gi")
        wait_killed(sets, first)
    retained = policy(sets)
    sets.annotate("db", **wish)
    with run():
        sets.wait(lambda: sets.status("db") == ends, f"the status is {ends}")

    assert ("Retain", "Delete") == retained
    assert ("Delete", None) == policy(sets)
    assert {"data-db-0": size} == sets.requests()
