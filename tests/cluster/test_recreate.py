"""The main job: claims grow, the template follows, nothing else changes."""

import pytest

from tests.cluster.looks import reasons, writes
from tests.cluster.revisions import change_template
from tests.support.fixtures import Run
from tests.support.sets import (
    Json,
    Sets,
    Snapshot,
    check_unharmed,
    statefulset,
    template_sizes,
)


def test_a_wish_grows_every_claim_and_the_template(sets: Sets, run: Run) -> None:
    """A bigger wish grows every claim and the template, and no Pod restarts."""
    sets.make(statefulset())
    before = Snapshot.of(sets, "db")

    with run() as operator:
        sets.annotate("db", resize_0="2Gi")
        status = sets.wait_status("db", "Done")
        sets.wait(lambda: "Resized" in reasons(sets, "db"), "the end is told")
        after = Snapshot.of(sets, "db")

    assert status == "Done: data=2Gi"
    assert template_sizes(after.statefulset) == {"data": "2Gi"}
    assert sets.requests() == {"data-db-0": "2Gi", "data-db-1": "2Gi", "data-db-2": "2Gi"}
    check_unharmed(before, after)
    assert writes(operator) == [
        *["patch persistentvolumeclaims"] * 3,
        "create configmaps",
        "patch configmaps",
        "delete statefulsets",
        "create statefulsets",
        "patch configmaps",
        "patch statefulsets",
        "delete configmaps",
    ]


@pytest.mark.timeout(180)
def test_1_a_set_that_was_restarted_by_hand_is_not_restarted_again(sets: Sets, run: Run) -> None:
    """`restartedAt` of the Pod template and the revision of each Pod stay as they are."""
    key, moment = "kubectl.kubernetes.io/restartedAt", "2026-11-20T10:00:00Z"
    first = sets.make(statefulset(replicas=2), settled=False)["status"]["currentRevision"]
    patch = {"template": {"metadata": {"annotations": {key: moment}}}}
    sets.cluster.merge("statefulset", "db", sets.namespace, {"spec": patch})

    def is_restarted() -> bool:
        status = sets.get("db")["status"]
        return bool(first != status["currentRevision"] == status["updateRevision"])

    sets.wait(is_restarted, "the Pods are restarted")
    sets.wait(lambda: sets.is_ready("db"), "the set is ready")
    before = Snapshot.of(sets, "db")
    with run() as operator:
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done: data=2Gi")
        after = Snapshot.of(sets, "db")

    annotations = after.statefulset["spec"]["template"]["metadata"]["annotations"]
    assert moment == annotations[key]
    assert 1 == writes(operator).count("delete statefulsets")
    assert 1 == writes(operator).count("create statefulsets")
    check_unharmed(before, after)


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"updateStrategy": {"rollingUpdate": {"partition": 1}}}, id="17 partition"),
        pytest.param({"updateStrategy": {"type": "OnDelete"}}, id="18 OnDelete"),
        pytest.param({"podManagementPolicy": "OrderedReady"}, id="OrderedReady"),
    ],
)
def test_17_18_a_set_is_recreated_with_any_strategy(sets: Sets, run: Run, spec: Json) -> None:
    """With equal revisions, or OnDelete and a changed template, no Pod is touched."""
    sets.make(statefulset(replicas=2, **spec))
    if spec.get("updateStrategy", {}).get("type") == "OnDelete":
        change_template(sets)
    before = Snapshot.of(sets, "db")

    with run():
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done")
        check_unharmed(before, Snapshot.of(sets, "db"))

    assert template_sizes(sets.get("db")) == {"data": "2Gi"}
