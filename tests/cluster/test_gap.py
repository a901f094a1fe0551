"""Others act while a set is being recreated: what is theirs stays theirs."""

import time

import pytest

from rso.kube.transport import Request, Response
from tests.cluster.conftest import Interfere
from tests.cluster.looks import backups, count, metric, reasons
from tests.cluster.once import Once, wait_gone
from tests.cluster.revisions import pod_uid, replace_pod
from tests.support.sets import (
    PREFIX,
    SETTLE_SECONDS,
    Json,
    Sets,
    Snapshot,
    check_unharmed,
    statefulset,
    template_sizes,
)
from tests.support.wire import deletes_set


@pytest.mark.parametrize(
    ("size", "change"),
    [
        pytest.param("1Gi", {}, id="equal"),
        pytest.param("5Gi", {}, id="bigger"),
        pytest.param("512Mi", {}, id="smaller"),
        pytest.param("1Gi", {"minReadySeconds": 3}, id="different"),
    ],
)
@pytest.mark.changes("set")
def test_28_a_name_taken_in_the_gap_is_left_alone(
    sets: Sets, interfere: Interfere, operator_namespace: str, size: str, change: Json
) -> None:
    """A set that another client makes in the gap stays as it is; the backup is only listed."""
    sets.make(statefulset(replicas=0))

    def take() -> None:
        wait_gone(sets)
        sets.cluster.apply(statefulset(replicas=0, sizes={"data": size}, **change), sets.namespace)

    with interfere(after=Once(take).after) as operator:
        sets.annotate("db", resize_0="2Gi")
        sentence = sets.wait_event("db", "NameTaken")
        sets.wait(lambda: metric(operator, "rso_recreates_total", result="name_taken"), "counted")
        left = sets.get("db")

    [backup] = backups(sets, operator_namespace)
    kept = sets.cluster.get("configmap", backup, operator_namespace) or {}
    assert sentence == (
        "the set's name was taken by somebody else while it was away; the set that lives is left "
        f"as it is, and backup {backup} is kept for seven days"
    )
    assert {"data": size} == template_sizes(left)
    assert "superseded" == kept["metadata"]["labels"][f"{PREFIX}phase"]
    assert (1, 0) == (
        count(operator, "delete statefulsets"),
        count(operator, "create statefulsets"),
    )


@pytest.mark.changes("set")
def test_28_a_taken_name_with_a_wish_of_its_own_is_a_set_like_any_other(
    sets: Sets, interfere: Interfere
) -> None:
    """The set that took the name is recreated for the wish that it carries itself."""
    sets.make(statefulset(replicas=0))
    wish = {f"{PREFIX}resize-0": "3Gi"}

    def take() -> None:
        wait_gone(sets)
        sets.cluster.apply(statefulset(replicas=0, annotations=wish), sets.namespace)

    with interfere(after=Once(take).after) as operator:
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done: data=3Gi")

    assert {"data": "3Gi"} == template_sizes(sets.get("db"))
    assert count(operator, "delete statefulsets") == 2


@pytest.mark.parametrize("propagation", ["Foreground", "Background", "Orphan"])
@pytest.mark.changes("set")
def test_27_a_set_that_its_user_deletes_just_before_us_stays_deleted(
    sets: Sets, interfere: Interfere, operator_namespace: str, propagation: str
) -> None:
    """Our delete meets nothing, the backup is dropped, and no set is created."""
    sets.make(statefulset(replicas=0))

    def delete() -> None:
        sets.cluster.delete("statefulset", "db", sets.namespace, propagation)
        wait_gone(sets)

    with interfere(before=Once(delete).before) as operator:
        sets.annotate("db", resize_0="2Gi")
        wait_gone(sets)
        sets.wait(lambda: not backups(sets, operator_namespace), "the backup is dropped")

    assert sets.find("db") is None
    assert 0 == count(operator, "create statefulsets")


@pytest.mark.changes("set")
@pytest.mark.parametrize("is_made_again", [False, True], ids=["deleted", "made again"])
def test_30_an_owner_that_goes_in_the_gap_takes_the_set_with_it(
    sets: Sets, interfere: Interfere, operator_namespace: str, *, is_made_again: bool
) -> None:
    """The garbage collector takes a set whose owner went, as without us; it is made only once.

    An owner that is made again has another uid, and is not the one that the set names.
    """
    manifest = statefulset(replicas=0)
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "parent"}
    uid = make_parent(sets)
    manifest["metadata"]["ownerReferences"] = [reference | {"uid": uid}]
    sets.make(manifest)

    def leave() -> None:
        sets.cluster.delete("configmap", "parent", sets.namespace)
        if is_made_again:
            assert uid != make_parent(sets)

    with interfere(after=Once(leave).after) as operator:
        sets.annotate("db", resize_0="2Gi")
        sets.wait(lambda: count(operator, "create statefulsets"), "the set is created")
        wait_gone(sets)
        sets.wait(lambda: metric(operator, "rso_absent_statefulsets") == 0, "none is absent")

    assert sets.find("db") is None
    kept = sets.cluster.list("configmap", operator_namespace, f"{PREFIX}phase=deleting")
    assert [] == kept
    assert 1 == count(operator, "create statefulsets")


def make_parent(sets: Sets) -> str:
    """Make the owner of the set, and return its uid."""
    parent = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "parent"}}
    return str(sets.cluster.apply(parent, sets.namespace)["metadata"]["uid"])


@pytest.mark.changes("pods")
def test_24_a_pod_made_in_the_moment_of_the_delete_is_not_lost(
    sets: Sets, interfere: Interfere
) -> None:
    """A Pod that is replaced just before the delete has it refused; it ends with the new set."""
    sets.make(statefulset(replicas=1))
    old = pod_uid(sets, "db-0")

    new = list[str]()

    def replace() -> None:
        version = _version(sets)
        replace_pod(sets, "db-0")
        sets.wait(lambda: version != _version(sets), "the controller has told of its new Pod")
        new.append(pod_uid(sets, "db-0"))

    with interfere(before=Once(replace).before) as operator:
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done: data=2Gi")

    deletes = [each.status for each in operator.wire.sent if deletes_set(each.request)]
    assert [409, 200] == deletes
    assert old not in new
    assert [pod_uid(sets, "db-0")] == new
    assert {sets.get("db")["metadata"]["uid"]} == _owners(sets)
    assert not [sent for sent in operator.wire.changes() if sent.request.resource.plural == "pods"]


def _version(sets: Sets) -> str:
    return str(sets.get("db")["metadata"]["resourceVersion"])


def _owners(sets: Sets) -> set[str]:
    """Return the uids that Pods, claims and revisions name as their owners."""
    children = [
        child
        for kind in ("pod", "pvc", "controllerrevision")
        for child in sets.cluster.list(kind, sets.namespace)
    ]
    return {
        owner["uid"] for child in children for owner in child["metadata"].get("ownerReferences", [])
    }


@pytest.mark.changes("set", "looks")
def test_a_namespace_deleted_in_the_gap_ends_it(
    sets: Sets, interfere: Interfere, operator_namespace: str
) -> None:
    """A set whose namespace goes is given up: the create is refused, the backup dropped."""
    sets.make(statefulset(replicas=0))

    def leave() -> None:
        sets.cluster.delete("namespace", sets.namespace)
        wait_gone(sets)

    with interfere(after=Once(leave).after) as operator:
        sets.annotate("db", resize_0="2Gi")
        sets.wait(lambda: count(operator, "delete configmaps"), "the backup is dropped")

    assert 0 == count(operator, "create statefulsets")
    assert [] == backups(sets, operator_namespace)


def test_21_two_recreates_at_once_keep_the_pods(sets: Sets, interfere: Interfere) -> None:
    """A wish raised in the moment of the create leads to a second recreate, not too early.

    The garbage collector must know each Pod as the new set's: seconds after its adoption.
    """
    sets.make(statefulset(replicas=2))
    before = Snapshot.of(sets, "db")
    answered_at = dict[str, float]()

    def raise_wish(request: Request, response: Response) -> None:
        if request.resource.plural != "statefulsets" or not request.changes:
            return
        answered_at[request.verb] = time.monotonic()
        if request.verb == "create" and response.status == 201:
            answered_at.setdefault("first create", time.monotonic())
            sets.annotate("db", resize_0="3Gi")

    with interfere(after=raise_wish) as operator:
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done: data=3Gi")
        after = Snapshot.of(sets, "db")

    assert 2 == count(operator, "create statefulsets")
    whole_seconds = SETTLE_SECONDS - 1  # the times in the Pod have no fractions
    assert whole_seconds < answered_at["delete"] - answered_at["first create"]
    assert "PodsChanged" not in reasons(sets, "db")
    check_unharmed(before, after)
