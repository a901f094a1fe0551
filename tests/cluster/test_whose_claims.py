"""Which claims grow: those of the set, by name and by label or mount (T33)."""

import pytest

from tests.cluster.looks import metric, writes
from tests.cluster.refusals import NAME
from tests.support.fixtures import Run
from tests.support.sets import Json, Sets, statefulset, template_sizes


def claim(name: str, storage_class: str = "instant", **labels: str) -> Json:
    """Return a claim made by hand."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": storage_class,
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }


def test_80_only_the_claims_of_the_set_grow(sets: Sets, run: Run) -> None:
    """A mounted claim without labels grows; claims that only bear a name of the set do not.

    `data-db-0` of the set `db` could be `data-db`'s too; `data-db-9` is nobody's.
    """
    sets.cluster.apply(claim("data-db-1"), sets.namespace)  # adopted by name, mounted by db-1
    sets.cluster.apply(claim("data-db-9"), sets.namespace)  # not mounted
    sets.cluster.apply(claim("data-x-db-0", app="x-db"), sets.namespace)
    sets.make(statefulset("db", replicas=2), settled=False)
    sets.make(statefulset("x-db", replicas=1), settled=False)

    with run() as operator:
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done: data=2Gi")

    assert sets.requests() == {
        "data-db-0": "2Gi",
        "data-db-1": "2Gi",
        "data-db-9": "1Gi",
        "data-x-db-0": "1Gi",
    }
    assert writes(operator).count("patch persistentvolumeclaims") == 2


def test_80_sets_with_equal_labels_and_reordered_templates_are_told_apart(
    sets: Sets, run: Run
) -> None:
    """Only the named template of the named set grows, though two sets have the same labels."""
    first = statefulset("db", replicas=1, sizes={"logs": "1Gi", "data": "1Gi"})
    second = statefulset("twin", replicas=1, sizes={"data": "1Gi", "logs": "1Gi"})
    for manifest in (first, second):
        manifest["spec"]["selector"]["matchLabels"] = {"app": "both"}
        manifest["spec"]["template"]["metadata"]["labels"] = {"app": "both"}
        sets.make(manifest, settled=False)

    with run():
        sets.annotate("db", resize_1="2Gi")
        sets.wait_status("db", "Done: data=2Gi")

    grown = {name for name, size in sets.requests().items() if size == "2Gi"}
    assert {"data-db-0"} == grown
    assert template_sizes(sets.get("db")) == {"logs": "1Gi", "data": "2Gi"}
    assert template_sizes(sets.get("twin")) == {"data": "1Gi", "logs": "1Gi"}


def test_80_claims_of_the_same_names_in_another_namespace_are_left_alone(
    sets: Sets, run: Run
) -> None:
    """An operator for two namespaces grows the claims of the one set, not its paused twin's."""
    other = Sets(sets.cluster, sets.cluster.make_namespace())
    try:
        for each in (sets, other):
            each.make(statefulset(replicas=1))
        with run(namespaces=(sets.namespace, other.namespace)) as operator:
            sets.annotate("db", resize_0="2Gi")
            other.annotate("db", resize_0="2Gi", paused="true")
            sets.wait_status("db", "Done: data=2Gi")
            other.wait_status("db", "Waiting: Paused")

        assert ({"data-db-0": "2Gi"}, {"data-db-0": "1Gi"}) == (sets.requests(), other.requests())
        assert {"data": "1Gi"} == template_sizes(other.get("db"))
        assert 1 == writes(operator).count("patch persistentvolumeclaims")
        assert 1 == writes(operator).count("delete statefulsets")
    finally:
        sets.cluster.leave_namespace(other.namespace)


@pytest.mark.changes("spec", "pods")
def test_65_an_unbound_claim_holds_nothing_up(sets: Sets, run: Run) -> None:
    """An unbound claim is named, the set is recreated meanwhile, and it grows once bound."""
    unbound = "claim data-db-1 is not bound; it grows once it is"
    sets.cluster.apply(claim("data-db-1", "late", app="db"), sets.namespace)
    sets.cluster.apply(statefulset(replicas=1), sets.namespace)
    sets.wait(lambda: sets.get("db")["status"].get("readyReplicas") == 1, "the Pod is ready")

    with run() as operator:
        sets.annotate("db", resize_0="2Gi")
        status = sets.wait_status("db", "Waiting: Unbound")
        told = sets.wait_event("db", "Unbound")
        sizes = template_sizes(sets.get("db"))
        grown = writes(operator).count("patch persistentvolumeclaims")
        sets.wait(lambda: metric(operator, NAME, reason="Unbound") == 1, "it is counted")
        sets.cluster.merge("statefulset", "db", sets.namespace, {"spec": {"replicas": 2}})
        sets.wait_status("db", "Done: data=2Gi")
        sets.wait(lambda: metric(operator, NAME) == 0, "it is not counted any more")

    assert f"Waiting: Unbound: {unbound}" == status
    assert unbound == told
    assert 1 == grown
    assert sizes == {"data": "2Gi"}
    assert sets.requests() == {"data-db-0": "2Gi", "data-db-1": "2Gi"}


def test_20_ordinals_start_scale_down_and_no_replicas(sets: Sets, run: Run) -> None:
    """Claims follow the ordinals' start, one left by a scale-down grows, no Pod is waited for."""
    sets.make(statefulset("off", replicas=2, ordinals={"start": 5}), settled=False)
    sets.make(statefulset("nil", replicas=1), settled=False)
    for name, replicas in (("off", 1), ("nil", 0)):
        sets.cluster.merge("statefulset", name, sets.namespace, {"spec": {"replicas": replicas}})

    sets.wait(lambda: len(sets.pods("off")) == 1, "off is scaled down")
    sets.wait(lambda: not sets.pods("nil"), "nil is scaled down")

    with run():
        for name in ("off", "nil"):
            sets.annotate(name, resize_0="2Gi")
        for name in ("off", "nil"):
            sets.wait_status(name, "Done: data=2Gi")

    assert sets.requests() == {"data-off-5": "2Gi", "data-off-6": "2Gi", "data-nil-0": "2Gi"}
    assert ["2Gi", "2Gi"] == [template_sizes(sets.get(each))["data"] for each in ("off", "nil")]


def test_75_a_claim_that_is_larger_already_is_left_alone(sets: Sets, run: Run) -> None:
    """A claim above the wish is untouched while the template follows."""
    sets.make(statefulset(replicas=1), settled=False)
    bigger = {"spec": {"resources": {"requests": {"storage": "3Gi"}}}}
    sets.cluster.merge("pvc", "data-db-0", sets.namespace, bigger)
    sets.wait(
        lambda: sets.claims()["data-db-0"]["status"]["capacity"]["storage"] == "3Gi", "it grew"
    )

    with run() as operator:
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done")

    assert sets.requests() == {"data-db-0": "3Gi"}
    assert template_sizes(sets.get("db")) == {"data": "2Gi"}
    assert "patch persistentvolumeclaims" not in writes(operator)


def test_75_a_volume_that_has_the_size_already_ends_it(sets: Sets, run: Run) -> None:
    """A claim whose volume was rounded up to the wish gets no patch: it would flip for ever."""
    sizes = {"data": "900Mi"}
    sets.make(statefulset(replicas=1, sizes=sizes, storage_class="rounding"), settled=False)

    with run() as operator:
        sets.annotate("db", resize_0="1Gi")
        sets.wait_status("db", "Done")

    assert sets.requests() == {"data-db-0": "900Mi"}
    assert template_sizes(sets.get("db")) == {"data": "1Gi"}
    assert "patch persistentvolumeclaims" not in writes(operator)


def test_76_a_smaller_automatic_wish_does_not_lower_a_request(sets: Sets, run: Run) -> None:
    """A request that is on its way to 4Gi stays there when the autoscaler asks for 3Gi."""
    sets.make(statefulset(replicas=1), settled=False)
    volume = sets.cluster.csi_volume(sets.namespace, "data-db-0")
    bigger = {"spec": {"resources": {"requests": {"storage": "4Gi"}}}}

    try:
        sets.cluster.csi_fault("ControllerExpandVolume", volume=volume, code="UNAVAILABLE")
        sets.cluster.merge("pvc", "data-db-0", sets.namespace, bigger)
        with run() as operator:
            sets.annotate("db", auto_resize_0="3Gi")
            sets.wait(lambda: metric(operator, "rso_reconciles_total", result="wait"), "a look")
    finally:
        sets.cluster.end_csi_fault("ControllerExpandVolume", volume)

    assert sets.requests("data-db") == {"data-db-0": "4Gi"}
    assert writes(operator) == []


def test_81_a_smaller_wish_lowers_nothing(sets: Sets, run: Run) -> None:
    """A wish below the template is inert: nothing is written but the status."""
    sets.make(statefulset(replicas=1, sizes={"data": "2Gi"}), settled=False)

    with run() as operator:
        sets.annotate("db", resize_0="1Gi", paused="false")
        sets.annotate("db", resize_0="3Gi", paused="true")
        sets.wait_status("db", "Waiting: Paused")
        sets.annotate("db", resize_0="1Gi", paused=None)
        status = sets.wait_status("db", "Done")

    assert "Done: data=2Gi" == status
    assert writes(operator) == []
    assert sets.requests() == {"data-db-0": "2Gi"}


def test_22_two_sizes_at_once_are_one_recreate(sets: Sets, run: Run) -> None:
    """Two wishes within a second, and two templates, end in one recreate with the larger sizes."""
    sets.make(statefulset(replicas=1, sizes={"data": "1Gi", "logs": "1Gi"}))

    with run() as operator:
        sets.annotate("db", resize_0="2Gi")
        sets.annotate("db", resize_0="3Gi", resize__logs="2Gi")
        sets.wait_status("db", "Done: data=3Gi, logs=2Gi")

    assert template_sizes(sets.get("db")) == {"data": "3Gi", "logs": "2Gi"}
    assert writes(operator).count("delete statefulsets") == 1
    assert writes(operator).count("create statefulsets") == 1


def test_68_a_claim_refused_halfway_is_told_and_a_smaller_wish_ends_it(
    sets: Sets, run: Run
) -> None:
    """A refusal after the first claim has grown is told; a smaller wish above it goes through."""
    sets.make(statefulset(replicas=2), settled=False)
    quota: Json = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": {"requests.storage": "5Gi"}},
    }
    bigger = {"spec": {"resources": {"requests": {"storage": "3Gi"}}}}
    sets.cluster.merge("pvc", "data-db-0", sets.namespace, bigger)
    sets.cluster.apply(quota, sets.namespace)
    sets.wait(
        lambda: "used" in sets.cluster.list("resourcequota", sets.namespace)[0]["status"],
        "the quota counts",
    )

    with run() as operator:
        sets.annotate("db", resize_0="3Gi")
        sets.wait_status("db", "Blocked: QuotaFull: claim data-db-1 cannot grow to 3Gi")
        blocked = writes(operator)
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done: data=2Gi")

    assert blocked == []
    assert sets.requests() == {"data-db-0": "3Gi", "data-db-1": "2Gi"}
