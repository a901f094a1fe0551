"""The controller manager is stopped: the set waits in deletion, and comes back once."""

import pytest

from testbed.api import ApiRefusal
from tests.cluster.looks import count, metric, writes
from tests.cluster.refusals import NAME
from tests.support.controllers import is_terminating, stopped_controllers
from tests.support.fixtures import Run
from tests.support.sets import Sets, statefulset


@pytest.mark.parametrize("is_killed", [False, True], ids=["the same goes on", "another one does"])
def test_8_25_a_set_that_cannot_be_orphaned_yet_comes_back_once(
    sets: Sets, run: Run, *, is_killed: bool
) -> None:
    """While nobody orphans, the set stays Terminating; afterwards it is created exactly once."""
    sets.make(statefulset(replicas=0))
    path = f"/apis/apps/v1/namespaces/{sets.namespace}/statefulsets"

    with run() as first:
        with stopped_controllers(sets.cluster):
            sets.annotate("db", resize_0="2Gi")
            sets.wait(lambda: is_terminating(sets), "the set is Terminating")
            if is_killed:
                first.kill()
            refusals = []
            for query in ("", "?dryRun=All"):
                with pytest.raises(ApiRefusal) as refusal:
                    sets.cluster.api.request("POST", path + query, statefulset(replicas=0))
                refusals.append(refusal.value)
        if is_killed:
            with run() as second:
                sets.wait_status("db", "Done: data=2Gi")
        else:
            second = first
            sets.wait_status("db", "Done: data=2Gi")

    assert [409, 409] == [each.code for each in refusals]
    assert all("object is being deleted: " in str(each) for each in refusals)
    assert 1 == count(first, "delete statefulsets")
    assert 1 == count(second, "create statefulsets")


@pytest.mark.changes("set", "looks")
def test_a_wish_in_a_namespace_that_is_being_deleted_deletes_no_set(sets: Sets, run: Run) -> None:
    """The set could not be created again, so it is left to the namespace's own deletion."""
    sets.make(statefulset(replicas=1))

    with run() as operator:
        with stopped_controllers(sets.cluster):
            sets.cluster.api.request("DELETE", f"/api/v1/namespaces/{sets.namespace}")
            sets.annotate("db", resize_0="2Gi")
            status = sets.wait_status("db", "Blocked")
            sets.wait(lambda: metric(operator, NAME, reason="AdmissionRefuses") == 1, "counted")
            written = writes(operator)
        sets.wait(lambda: sets.find("db") is None, "the set goes with its namespace")
        sets.wait(lambda: metric(operator, NAME) == 0, "it is not counted any more")

    assert (
        "Blocked: AdmissionRefuses: the claims have grown, but the namespace is being deleted, so "
        "the set could not be created again; it goes with its namespace"
    ) == status
    assert ["patch persistentvolumeclaims"] == written
    assert 0 == count(operator, "create statefulsets")
