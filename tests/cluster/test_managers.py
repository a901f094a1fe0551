"""The new set is the old one byte for byte but for sizes, and each field has its manager again."""

import copy
import json

import pytest

from rso.kube.transport import Request, Response
from testbed.api import APPLY, MERGE
from tests.cluster.conftest import Interfere
from tests.cluster.looks import wait_killed
from tests.support.faults import write_name
from tests.support.fixtures import Run
from tests.support.sets import IMAGE, PREFIX, Json, Sets, Snapshot, check_unharmed, statefulset
from tests.support.wire import Crash

OURS = PREFIX[:-1]
SERVER_SET = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")


def apply(sets: Sets, manager: str, body: Json) -> Json:
    """Apply part of `db` as a manager, without force."""
    whole = {"apiVersion": "apps/v1", "kind": "StatefulSet", **body}
    whole["metadata"] = {"name": "db", **body.get("metadata", {})}
    path = f"/apis/apps/v1/namespaces/{sets.namespace}/statefulsets/db?fieldManager={manager}"
    return sets.cluster.api.request("PATCH", path, whole, APPLY)


def masked(found: Json) -> Json:
    """Return what must be byte for byte equal: all but what a recreate may change.

    That is the size of the first claim template, three annotations, and what the server sets.
    """
    kept = copy.deepcopy({key: found[key] for key in ("metadata", "spec")})
    for key in SERVER_SET:
        kept["metadata"].pop(key, None)
    annotations = kept["metadata"].get("annotations", {})
    for key in ("status", "when-deleted", "declared-0"):
        annotations.pop(PREFIX + key, None)
    first, *_ = kept["spec"]["volumeClaimTemplates"]
    first["spec"]["resources"]["requests"].pop("storage")
    return kept


def managers(found: Json) -> list[Json]:
    """Return the managers of other than status, without times and without ours."""
    kept = [
        {key: value for key, value in each.items() if key != "time"}
        for each in found["metadata"]["managedFields"]
        if each.get("subresource") != "status" and each["manager"] != PREFIX[:-1]
    ]
    return sorted(kept, key=lambda each: (each["manager"], each["operation"]))


def without_policy(entries: list[Json]) -> list[Json]:
    """Return managers as they are when nobody owns `whenDeleted`."""
    left = copy.deepcopy(entries)
    for each in left:
        policy = each["fieldsV1"].get("f:spec", {}).get("f:persistentVolumeClaimRetentionPolicy")
        if policy:
            policy.pop("f:whenDeleted", None)
    return left


def entry_of(found: Json, manager: str) -> Json:
    """Return which fields a manager owns."""
    [entry] = [
        each["fieldsV1"]
        for each in found["metadata"]["managedFields"]
        if each["manager"] == manager and each.get("subresource") != "status"
    ]
    return dict(entry)


POD: Json = {
    "terminationGracePeriodSeconds": 1,
    "tolerations": [{"key": "example.com/disk", "operator": "Exists"}],
    "initContainers": [{"name": "first", "image": IMAGE, "command": ["true"]}],
    "securityContext": {"fsGroup": 1000, "fsGroupChangePolicy": "OnRootMismatch"},
    "volumes": [
        {"name": "cache", "emptyDir": {"sizeLimit": "1500Mi"}},
        {
            "name": "scratch",
            "ephemeral": {
                "volumeClaimTemplate": {
                    "metadata": {"labels": {"kind": "scratch"}},
                    "spec": {
                        "accessModes": ["ReadWriteOnce"],
                        "storageClassName": "instant",
                        "resources": {"requests": {"storage": "1Gi"}},
                    },
                }
            },
        },
    ],
}
SPEC: Json = {
    "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
    "minReadySeconds": 1,
    "revisionHistoryLimit": 3,
    "ordinals": {"start": 2},
}


def rich(sets: Sets, when_deleted: str) -> Json:
    """Return a set with two owners, several kinds of claim templates, and much else.

    Only the first claim template is wished bigger. A finalizer of others would forbid the recreate.
    """
    policy = {"whenDeleted": when_deleted, "whenScaled": "Delete"}
    made = statefulset(
        replicas=1,
        sizes={"data": "1Gi", "logs": "1.5Gi", "raw": "1G"},
        annotations={"example.com/a": "b"},
        persistentVolumeClaimRetentionPolicy=policy,
        **copy.deepcopy(SPEC),
    )
    owners = [owner(sets, "parent"), owner(sets, "other") | {"blockOwnerDeletion": True}]
    made["metadata"] |= {"labels": {"team": "storage"}, "ownerReferences": owners}
    pod = made["spec"]["template"]["spec"]
    pod |= copy.deepcopy(POD)
    pod["containers"][0] |= {
        "volumeMounts": pod["containers"][0]["volumeMounts"][:2],
        "volumeDevices": [{"name": "raw", "devicePath": "/dev/raw"}],
    }
    _, logs, raw = made["spec"]["volumeClaimTemplates"]
    raw["spec"]["volumeMode"] = "Block"
    logs["metadata"] |= {"labels": {"kind": "logs"}, "annotations": {"example.com/keep": "7d"}}
    logs["spec"] |= {"volumeMode": "Filesystem", "accessModes": ["ReadWriteOncePod"]}
    return made


def owner(sets: Sets, name: str) -> Json:
    """Make a ConfigMap, and return the reference to it."""
    config_map: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
    uid = sets.cluster.apply(config_map, sets.namespace)["metadata"]["uid"]
    return {"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid}


def edit(sets: Sets, manager: str, patch: Json) -> None:
    """Change `db` as a person does: the manager's operation is Update."""
    path = sets.cluster.api.resource("statefulset").path(sets.namespace, "db")
    sets.cluster.api.request("PATCH", f"{path}?fieldManager={manager}", patch, MERGE)


OTHER: Json = {"metadata": {"labels": {"other": "x"}}, "spec": {"template": {"metadata": {}}}}


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_12_the_new_set_is_the_old_one_but_for_sizes(sets: Sets, run: Run, policy: str) -> None:
    """JSON and managers are equal but for sizes; earlier managers apply again without force.

    After a Retain step nobody owns `whenDeleted` until the next apply.
    """
    manifest = rich(sets, policy)
    sets.make(manifest)
    apply(sets, "other", OTHER)
    edit(sets, "person", {"metadata": {"annotations": {"example.com/by": "hand"}}})
    sets.annotate("db", resize_0="2Gi")
    before = Snapshot.of(sets, "db")

    with run():
        sets.wait_status("db", "Done")
        sets.wait(lambda: sets.is_ready("db"), "the set is ready")
        after = Snapshot.of(sets, "db")

    owned = managers(before.statefulset)
    assert {"testbed", "other", "person"} <= {each["manager"] for each in owned}
    assert json.dumps(masked(before.statefulset)) == json.dumps(masked(after.statefulset))
    assert managers(after.statefulset) == (owned if policy == "Retain" else without_policy(owned))
    assert policy == policy_of(after.statefulset)
    check_unharmed(before, after)
    check_applies(sets, manifest)
    assert "f:whenDeleted" in json.dumps(entry_of(sets.get("db"), "testbed"))


def policy_of(found: Json) -> str:
    return str(found["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"])


def check_applies(sets: Sets, manifest: Json) -> None:
    """Check that both managers who applied before apply again without force."""
    for template in manifest["spec"]["volumeClaimTemplates"][:1]:
        template["spec"]["resources"]["requests"]["storage"] = "2Gi"
    apply(sets, "testbed", {"metadata": manifest["metadata"], "spec": manifest["spec"]})
    apply(sets, "other", OTHER)


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_our_manager_owns_our_annotations_only(sets: Sets, run: Run, policy: str) -> None:
    """After a recreate our entry holds the status and the declared size, and nothing else."""
    retention: Json = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": policy}}
    sets.make(statefulset(replicas=1, **retention))

    with run():
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done: data=2Gi")

    found = sets.get("db")
    owned: Json = {f"f:{PREFIX}status": {}, f"f:{PREFIX}declared-0": {}}
    assert {"f:metadata": {"f:annotations": owned}} == entry_of(found, OURS)
    assert "1Gi" == found["metadata"]["annotations"][f"{PREFIX}declared-0"]
    assert f"{PREFIX}when-deleted" not in found["metadata"]["annotations"]


def test_16_our_manager_gives_back_the_policy_that_a_patch_restored(
    sets: Sets, run: Run, interfere: Interfere
) -> None:
    """A wish withdrawn after the Retain step: the old policy is back, and we own none of the spec.

    Nor does anybody else own `whenDeleted`, until the next apply takes it without force.
    """
    retention: Json = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}
    manifest = statefulset(replicas=1, **retention)
    sets.make(manifest)
    with interfere(after=die_after_retain) as first:
        sets.annotate("db", resize_0="2Gi")
        wait_killed(sets, first)
    retained = policy_of(sets.get("db"))
    sets.annotate("db", resize_0=None)

    with run():
        sets.wait_status("db", "Done: data=1Gi")
        sets.wait(lambda: "f:spec" not in entry_of(sets.get("db"), OURS), "our entry is cut")
        found = sets.get("db")
    applied = apply(sets, "testbed", {"metadata": {}, "spec": manifest["spec"]})

    assert ("Retain", "Delete") == (retained, policy_of(found))
    assert {"f:metadata": {"f:annotations": {f"f:{PREFIX}status": {}}}} == entry_of(found, OURS)
    assert "f:whenDeleted" not in json.dumps(managers(found))
    assert "f:whenDeleted" in json.dumps(entry_of(applied, "testbed"))


def die_after_retain(request: Request, _: Response) -> None:
    if request.changes and write_name(request) == "retain":
        raise Crash


@pytest.mark.changes("spec")
def test_an_apply_inside_the_gap_keeps_its_ownership(sets: Sets, interfere: Interfere) -> None:
    """A manager that applies between the create and the restore of managers owns its field.

    So much so that its next apply without the field removes it.
    """
    sets.make(statefulset(replicas=1))
    sets.annotate("db", resize_0="2Gi")
    before = managers(sets.get("db"))
    applied = list[Json]()

    def apply_once(request: Request) -> None:
        body = request.body or b""
        if request.verb == "patch" and b"managedFields" in body and not applied:
            applied.append(apply(sets, "late", {"spec": {"minReadySeconds": 7}}))

    with interfere(before=apply_once) as operator:
        sets.wait_status("db", "Done")
        after = sets.get("db")

    conflicts = [sent.words for sent in operator.wire.sent if sent.status == 409]
    assert [f"patch statefulsets {sets.namespace}/db"] == conflicts[-1:]
    assert 7 == after["spec"]["minReadySeconds"]
    assert {"f:spec": {"f:minReadySeconds": {}}} == entry_of(after, "late")
    assert before == [each for each in managers(after) if each["manager"] != "late"]
    assert "minReadySeconds" not in apply(sets, "late", {"spec": {}})["spec"]
