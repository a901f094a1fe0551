"""The main job: claims grow, the template follows, nothing else changes."""

import copy

import pytest

from rso.kube.transport import Request
from testbed.api import APPLY
from tests.cluster.conftest import Interfere
from tests.cluster.looks import backups, reasons, writes
from tests.support.fixtures import Run
from tests.support.sets import (
    PREFIX,
    Json,
    Sets,
    Snapshot,
    check_unharmed,
    statefulset,
    template_sizes,
)

SERVER_SET = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")


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


def apply(sets: Sets, manager: str, body: Json) -> Json:
    """Apply part of `db` as a manager, without force."""
    whole = {"apiVersion": "apps/v1", "kind": "StatefulSet", **body}
    whole["metadata"] = {"name": "db", **body.get("metadata", {})}
    path = f"/apis/apps/v1/namespaces/{sets.namespace}/statefulsets/db?fieldManager={manager}"
    return sets.cluster.api.request("PATCH", path, whole, APPLY)


def masked(found: Json) -> Json:
    """Return what must be byte for byte equal: all but sizes, our annotations, server's fields."""
    kept = copy.deepcopy({key: found[key] for key in ("metadata", "spec")})
    for key in SERVER_SET:
        kept["metadata"].pop(key, None)
    annotations = kept["metadata"].get("annotations", {})
    for key in ("status", "when-deleted", "declared-0"):
        annotations.pop(PREFIX + key, None)
    for template in kept["spec"]["volumeClaimTemplates"]:
        template["spec"]["resources"]["requests"].pop("storage")
        template.pop("status", None)
    return kept


def managers(found: Json) -> list[Json]:
    """Return the managers of other than status, without times and without ours."""
    kept = [
        {key: value for key, value in each.items() if key != "time"}
        for each in found["metadata"]["managedFields"]
        if each.get("subresource") != "status" and each["manager"] != PREFIX[:-1]
    ]
    return sorted(kept, key=lambda each: (each["manager"], each["operation"]))


RICH: Json = {
    "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
    "minReadySeconds": 1,
    "revisionHistoryLimit": 3,
    "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Delete"},
}


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_12_the_new_set_is_the_old_one_but_for_sizes(sets: Sets, run: Run, policy: str) -> None:
    """JSON and managers are equal but for sizes; earlier managers apply again without force.

    After a Retain step nobody owns `whenDeleted` until the next apply.
    """
    rich = copy.deepcopy(RICH)
    rich["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] = policy
    manifest = statefulset(replicas=1, annotations={"example.com/a": "b"}, **rich)
    manifest["metadata"]["labels"] = {"team": "storage"}
    sets.make(manifest)
    other = {"metadata": {"labels": {"other": "x"}}, "spec": {"template": {"metadata": {}}}}
    apply(sets, "other", other)
    sets.annotate("db", resize_0="2Gi")
    before = Snapshot.of(sets, "db")

    with run():
        sets.wait_status("db", "Done")
        sets.wait(lambda: sets.is_ready("db"), "the set is ready")
        after = Snapshot.of(sets, "db")

    assert masked(before.statefulset) == masked(after.statefulset)
    if policy == "Retain":
        assert managers(before.statefulset) == managers(after.statefulset)
    assert f"{PREFIX}when-deleted" not in after.statefulset["metadata"]["annotations"]
    assert after.statefulset["metadata"]["annotations"][f"{PREFIX}declared-0"] == "1Gi"
    check_unharmed(before, after)
    manifest["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] = "2Gi"
    apply(sets, "testbed", {"metadata": manifest["metadata"], "spec": manifest["spec"]})
    apply(sets, "other", other)
    owners = {uid["uid"] for c in after.claims.values() for uid in _owners(c)}
    expected = {after.statefulset["metadata"]["uid"]} if policy == "Delete" else set()
    assert owners <= expected


def _owners(claim: Json) -> list[Json]:
    return list(claim["metadata"].get("ownerReferences", []))


@pytest.mark.changes("spec")
def test_an_apply_inside_the_gap_keeps_its_ownership(sets: Sets, interfere: Interfere) -> None:
    """A manager that applies between the create and the restore of managers is kept."""
    sets.make(statefulset(replicas=1))
    before = sets.get("db")
    applied = list[Json]()

    def apply_once(request: Request) -> None:
        body = request.body or b""
        if request.verb == "patch" and b"managedFields" in body and not applied:
            applied.append(apply(sets, "late", {"spec": {"minReadySeconds": 7}}))

    with interfere(before=apply_once) as operator:
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done")
        after = sets.get("db")

    assert after["spec"]["minReadySeconds"] == 7
    names = [each["manager"] for each in managers(after)]
    assert "late" in names
    assert {each["manager"] for each in managers(before)} <= set(names)
    conflicts = [sent for sent in operator.wire.sent if sent.status == 409]
    assert conflicts


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


def change_template(sets: Sets) -> None:
    """Give the Pod template an annotation: a new revision."""
    metadata = {"metadata": {"annotations": {"restartedAt": "now"}}}
    sets.cluster.merge("statefulset", "db", sets.namespace, {"spec": {"template": metadata}})
    status = "status"
    sets.wait(
        lambda: (
            sets.get("db")[status]["updateRevision"] != sets.get("db")[status]["currentRevision"]
        ),
        "there is a new revision",
    )


@pytest.mark.changes("spec", "pods")
def test_17_a_canary_holds_the_recreate_and_not_the_claims(
    sets: Sets, run: Run, operator_namespace: str
) -> None:
    """While a canary runs the claims grow and the set stays; its end ends the wait."""
    spec: Json = {"updateStrategy": {"rollingUpdate": {"partition": 1}}}
    sets.make(statefulset(replicas=2, **spec))
    change_template(sets)

    with run() as operator:
        sets.annotate("db", resize_0="2Gi")
        status = sets.wait_status("db", "Waiting: RollingUpdate")
        written = writes(operator)
        spec["updateStrategy"]["rollingUpdate"]["partition"] = 0
        sets.cluster.merge("statefulset", "db", sets.namespace, {"spec": spec})
        sets.wait_status("db", "Done: data=2Gi")

    assert status == (
        "Waiting: RollingUpdate: the claims have grown; the template follows when the rolling "
        "update has ended"
    )
    assert written == ["patch persistentvolumeclaims"] * 2
    assert [] == backups(sets, operator_namespace)
