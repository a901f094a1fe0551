"""Somebody writes just before us: the stale request is refused, and what they wrote is kept."""

import pytest

from rso.kube.transport import Request
from tests.cluster.conftest import Interfere
from tests.cluster.looks import backups, count
from tests.cluster.once import Once, wait_gone
from tests.support.faults import write_name
from tests.support.operators import Operator
from tests.support.sets import PREFIX, Json, Sets, make_unready, statefulset, template_sizes
from tests.support.wire import deletes_set

HOLD = "example.org/hold"


@pytest.mark.changes("spec", "pods")
def test_29_a_set_scaled_just_before_the_delete_keeps_its_replicas(
    sets: Sets, interfere: Interfere
) -> None:
    """A set that is scaled after the save is not deleted at its old version; the scale stays."""
    sets.make(statefulset(replicas=1))

    def scale() -> None:
        sets.cluster.merge("statefulset", "db", sets.namespace, {"spec": {"replicas": 2}})

    with interfere(before=Once(scale).before) as operator:
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done: data=2Gi")

    assert [409, 200] == [status for status, _ in deletions(operator)]
    assert "ResourceVersion in the precondition" in deletions(operator)[0][1]
    assert 2 == sets.get("db")["spec"]["replicas"] == len(sets.pods("db"))


@pytest.mark.changes("set")
def test_29_the_delete_of_a_set_that_was_made_again_is_refused_for_its_uid(
    sets: Sets, interfere: Interfere, operator_namespace: str
) -> None:
    """A delete that was meant for a set which is no more is answered 409: the new one stays."""
    sets.make(statefulset(replicas=0))
    uids = list[str]()

    def make_again() -> None:
        sets.cluster.delete("statefulset", "db", sets.namespace, "Orphan")
        wait_gone(sets)
        made = sets.cluster.apply(statefulset(replicas=0), sets.namespace)
        uids.append(made["metadata"]["uid"])

    with interfere(before=Once(make_again).before) as operator:
        sets.annotate("db", resize_0="2Gi")
        sets.wait(lambda: deletions(operator), "a delete is answered")
        sets.wait(lambda: not backups(sets, operator_namespace), "the backup is dropped")

    [(status, answer)] = deletions(operator)
    assert 409 == status
    assert "UID in the precondition" in answer
    assert uids == [sets.get("db")["metadata"]["uid"]]
    assert 0 == count(operator, "create statefulsets")


def deletions(operator: Operator) -> list[tuple[int | None, str]]:
    """Return (status, answer) of each real delete of a set."""
    return [
        (sent.status, sent.answer.decode())
        for sent in operator.wire.sent
        if deletes_set(sent.request)
    ]


def test_14_a_reference_that_goes_stale_is_read_again(sets: Sets, interfere: Interfere) -> None:
    """A claim written just before its reference is removed answers 409; then it is removed.

    Pod 0 of an ordered set is not ready, so that the controller itself removes no reference.
    """
    policy: Json = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}
    sets.make(statefulset(replicas=1, podManagementPolicy="OrderedReady", **policy))
    make_unready(sets, "db-0")
    sets.wait(lambda: not sets.get("db")["status"].get("readyReplicas"), "Pod 0 is not ready")
    written = list[Json]()

    def write_claim(request: Request) -> None:
        if request.changes and write_name(request) == "unreference data-db-0" and not written:
            annotations = {"annotations": {"example.org/note": "kept"}}
            patch = {"metadata": annotations}
            written.append(sets.cluster.merge("pvc", "data-db-0", sets.namespace, patch))

    with interfere(before=write_claim) as operator:
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done: data=2Gi")

    answers = [
        sent.status
        for sent in operator.wire.sent
        if sent.request.changes and write_name(sent.request) == "unreference data-db-0"
    ]
    [claim] = sets.claims().values()
    assert [409, 200] == answers
    assert "kept" == claim["metadata"]["annotations"]["example.org/note"]
    assert written[0]["metadata"]["uid"] == claim["metadata"]["uid"]


@pytest.mark.changes("set")
def test_28_a_taken_name_is_recreated_only_when_no_pod_names_an_older_set(
    sets: Sets, interfere: Interfere
) -> None:
    """While a Pod still names the set before, the set that took the name waits in its place."""
    old = sets.make(statefulset(replicas=2))["metadata"]["uid"]
    wish = {f"{PREFIX}resize-0": "3Gi"}

    def take() -> None:
        wait_gone(sets)
        name_owner(sets, "db-0", old)
        sets.cluster.apply(statefulset(replicas=2, annotations=wish), sets.namespace)

    with interfere(after=Once(take).after) as operator:
        sets.annotate("db", resize_0="2Gi")
        sets.wait(lambda: "Pod db-0" in sets.status("db"), "the Pod is waited for")
        waiting = sets.status("db")
        deleted = count(operator, "delete statefulsets")
        assert old == owner(sets, "db-0")
        release(sets, "db-0")
        sets.wait_status("db", "Done: data=3Gi")
        new = sets.get("db")

    assert waiting.startswith("Waiting: NotQuiet: ")
    assert (1, 2) == (deleted, count(operator, "delete statefulsets"))
    assert {"data": "3Gi"} == template_sizes(new)
    assert new["metadata"]["uid"] == owner(sets, "db-0") == owner(sets, "db-1")


def name_owner(sets: Sets, pod: str, uid: str) -> None:
    """Have a Pod name a set as its controller; a finalizer keeps the collector from ending it."""
    reference = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": uid}
    metadata = {"ownerReferences": [reference | {"controller": True}], "finalizers": [HOLD]}
    sets.cluster.merge("pod", pod, sets.namespace, {"metadata": metadata})


def release(sets: Sets, pod: str) -> None:
    """Take the finalizer away, and end the Pod: nobody plays its kubelet to do that."""
    sets.cluster.merge("pod", pod, sets.namespace, {"metadata": {"finalizers": None}})
    path = sets.cluster.api.resource("pod").path(sets.namespace, pod)
    sets.cluster.api.send("DELETE", path, {"gracePeriodSeconds": 0})


def owner(sets: Sets, pod: str) -> str:
    [reference] = sets.pods("db")[pod]["metadata"]["ownerReferences"]
    return str(reference["uid"])
