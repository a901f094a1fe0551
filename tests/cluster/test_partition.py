"""Sets whose rolling update stops at a partition: a canary stays a canary."""

import pytest

from tests.cluster.looks import backups, writes
from tests.cluster.once import recreate
from tests.cluster.revisions import change_template, replace_pod, revision
from tests.support.fixtures import Run
from tests.support.sets import Json, Sets, statefulset

RECREATES = 5


def partition(number: int) -> Json:
    """Return the field of a spec for this partition."""
    return {"updateStrategy": {"rollingUpdate": {"partition": number}}}


def test_17_a_pod_below_the_partition_comes_back_as_it_was(sets: Sets, run: Run) -> None:
    """With equal revisions the set is recreated, and a Pod that is lost later has its revision."""
    sets.make(statefulset(replicas=3, **partition(2)))
    before = revision(sets, "db-0")

    with run():
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done: data=2Gi")
    replace_pod(sets, "db-0")

    assert before == revision(sets, "db-0")


@pytest.mark.changes("spec", "pods")
def test_17_a_canary_holds_the_recreate_and_not_the_claims(
    sets: Sets, run: Run, operator_namespace: str
) -> None:
    """While a canary runs the claims grow and the set stays; its end ends the wait."""
    sets.make(statefulset(replicas=3, **partition(2)))
    change_template(sets)

    with run() as operator:
        sets.annotate("db", resize_0="2Gi")
        status = sets.wait_status("db", "Waiting: RollingUpdate")
        written = writes(operator)
        sets.cluster.merge("statefulset", "db", sets.namespace, {"spec": partition(0)})
        sets.wait_status("db", "Done: data=2Gi")

    assert status == (
        "Waiting: RollingUpdate: the claims have grown; the template follows when the rolling "
        "update has ended"
    )
    assert written == ["patch persistentvolumeclaims"] * 3
    assert [] == backups(sets, operator_namespace)


def recreate_without_status(sets: Sets, new: str) -> None:
    """Recreate `db` by hand, again if its controller wrote the old status to the new set.

    It does so now and then (seen on 1.37.2), and then the set goes on as the old one would have.
    """
    for _ in range(RECREATES):
        recreate(sets)
        sets.wait(lambda: current_revision(sets), "the controller has seen the new set")
        if current_revision(sets) == new:
            return
    raise AssertionError(f"{RECREATES} times the new set had the old status")


def current_revision(sets: Sets) -> str:
    """Return the revision of the Pods below the partition, as the status of `db` says."""
    return str(sets.get("db").get("status", {}).get("currentRevision", ""))


def test_17_a_recreate_by_hand_makes_a_canary_a_roll_out(sets: Sets) -> None:
    """Why a canary is waited for: the new set makes a lost Pod below the partition a new one."""
    sets.make(statefulset(replicas=3, **partition(2)))
    old = revision(sets, "db-0")
    change_template(sets)
    sets.wait(lambda: revision(sets, "db-2") not in ("", old), "the canary runs")
    new = revision(sets, "db-2")

    recreate_without_status(sets, new)
    kept = revision(sets, "db-0")
    replace_pod(sets, "db-0")

    assert old == kept
    assert new == revision(sets, "db-0")
