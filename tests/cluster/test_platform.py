"""What the recreate leans on in Kubernetes itself, seen on a real API server."""

import json

import pytest

from testbed.api import APPLY, MERGE, ApiRefusal
from tests.support.recording import Record
from tests.support.sets import Json, Sets, statefulset

PATH = "/apis/apps/v1/namespaces/{}/statefulsets"


def post(sets: Sets, manifest: Json, query: str = "") -> Json:
    """Create a set as the manager `creator`."""
    path = f"{PATH.format(sets.namespace)}?fieldManager=creator{query}"
    return sets.cluster.api.request("POST", path, manifest)


def apply(sets: Sets, manager: str, spec: Json) -> Json:
    """Apply part of `db` as a manager, without force."""
    body = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, **spec}
    path = f"{PATH.format(sets.namespace)}/db?fieldManager={manager}"
    return sets.cluster.api.request("PATCH", path, body, APPLY)


def managers(found: Json) -> list[str]:
    entries = found["metadata"]["managedFields"]
    return sorted(each["manager"] for each in entries if each.get("subresource") != "status")


def test_3_managers_are_lost_by_a_create_and_restored_by_a_patch(sets: Sets) -> None:
    """A create gives every field to its creator; a patch at its version gives them back."""
    annotations = {"example.com/a": "b"}
    made = sets.cluster.apply(statefulset(replicas=0, annotations=annotations), sets.namespace)
    saved = made["metadata"]["managedFields"]
    sets.cluster.delete("statefulset", "db", sets.namespace)
    sets.wait(lambda: sets.find("db") is None, "the set has gone")
    manifest = statefulset(replicas=0, annotations=annotations)
    manifest["metadata"]["managedFields"] = saved

    created = post(sets, manifest)
    patch = {
        "metadata": {
            "managedFields": saved,
            "resourceVersion": created["metadata"]["resourceVersion"],
        }
    }
    sets.wait(lambda: "observedGeneration" in sets.get("db")["status"], "its controller saw it")
    apply(sets, "other", {"spec": {"minReadySeconds": 1}})
    with pytest.raises(ApiRefusal) as stale:
        sets.cluster.merge("statefulset", "db", sets.namespace, patch)
    del patch["metadata"]["resourceVersion"]
    patch["metadata"]["managedFields"] = [
        *saved,
        *(e for e in sets.get("db")["metadata"]["managedFields"] if e["manager"] == "other"),
    ]
    restored = sets.cluster.merge("statefulset", "db", sets.namespace, patch)

    assert ["creator"] == managers(created)
    assert 409 == stale.value.code
    assert ["other", "testbed"] == managers(restored)


def test_3_managers_are_given_back_at_the_version_of_the_create(sets: Sets) -> None:
    """A patch of managers with the version of the create's answer is taken: no apply conflicts."""
    made = sets.cluster.apply(statefulset(replicas=0), sets.namespace)
    saved = made["metadata"]["managedFields"]
    sets.cluster.delete("statefulset", "db", sets.namespace)
    sets.wait(lambda: sets.find("db") is None, "the set has gone")

    def give_back() -> bool:
        # The StatefulSet controller may write its first status in between: made again then.
        sets.cluster.delete("statefulset", "db", sets.namespace)
        sets.wait(lambda: sets.find("db") is None, "the set has gone")
        created = post(sets, statefulset(replicas=0))
        version = created["metadata"]["resourceVersion"]
        patch = {"metadata": {"managedFields": saved, "resourceVersion": version}}
        path = f"{PATH.format(sets.namespace)}/db"
        return sets.cluster.api.send("PATCH", path, patch, MERGE)[0] == 200

    sets.wait(give_back, "a patch at the version of the create is taken")
    found = sets.get("db")

    assert ["testbed"] == managers(found)
    assert without_times(saved) == without_times(found["metadata"]["managedFields"])


def without_times(entries: list[Json]) -> list[Json]:
    """Return the managers of other than status, without the times of their writes."""
    return [
        {key: value for key, value in each.items() if key != "time"}
        for each in entries
        if each.get("subresource") != "status"
    ]


def test_6_a_dry_create_of_a_set_that_exists_is_already_exists(sets: Sets) -> None:
    """A dry create under the name of a set answers 409 when nothing else refuses it."""
    sets.cluster.apply(statefulset(replicas=0), sets.namespace)

    with pytest.raises(ApiRefusal, match="already exists") as refusal:
        post(sets, statefulset(replicas=0), "&dryRun=All")

    assert 409 == refusal.value.code


def test_7_a_dry_create_meets_every_refusal_before_the_name(sets: Sets) -> None:
    """A full quota answers 403 and an invalid field 422, although the name is taken."""
    sets.cluster.apply(statefulset(replicas=0), sets.namespace)
    quota: Json = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "sets"},
        "spec": {"hard": {"count/statefulsets.apps": "1"}},
    }
    invalid = statefulset(replicas=-1)

    with pytest.raises(ApiRefusal) as bad:
        post(sets, invalid, "&dryRun=All")
    sets.cluster.apply(quota, sets.namespace)
    codes = set[int]()

    def is_full() -> bool:
        with pytest.raises(ApiRefusal) as full:
            post(sets, statefulset(replicas=0), "&dryRun=All")
        codes.add(full.value.code)
        return full.value.code == 403

    sets.wait(is_full, "the quota refuses")
    assert 422 == bad.value.code
    assert codes <= {403, 409}


def test_65_an_unbound_claim_may_not_grow(sets: Sets, record: Record) -> None:
    """Growing a claim that is not bound is refused."""
    claim: Json = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "alone"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "late",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    sets.cluster.apply(claim, sets.namespace)

    bigger = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    with pytest.raises(ApiRefusal) as refusal:
        sets.cluster.merge("pvc", "alone", sets.namespace, bigger)

    record(f"{refusal.value}"[:160])
    assert refusal.value.code in (403, 422)


def test_88_what_the_server_says_of_a_renew_time_without_fraction(
    sets: Sets, record: Record
) -> None:
    """A Lease whose renewTime has no fraction of a second is answered; which way is recorded."""
    lease: Json = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "plain"},
        "spec": {"renewTime": "2026-11-24T00:00:00Z"},
    }
    path = f"/apis/coordination.k8s.io/v1/namespaces/{sets.namespace}/leases"

    status, answer = sets.cluster.api.send("POST", path, lease)

    record(f"{status} {json.loads(answer).get('message', 'stored')[:120]}")
    assert status in (201, 400, 422)
