"""What the storage side says about a claim decides: nothing is deleted after a failure (O10)."""

import pytest

from testbed.api import MERGE, ApiRefusal
from tests.cluster.looks import metric, writes
from tests.support.fixtures import Run
from tests.support.recording import Record
from tests.support.sets import Sets, statefulset, template_sizes


@pytest.mark.parametrize("word", ["ControllerResizeFailed", "NodeResizeFailed"])
def test_74_this_version_refuses_the_old_words_for_infeasible(
    sets: Sets, record: Record, word: str
) -> None:
    """The words of Kubernetes up to 1.30 cannot be stored here; the core's tests read them."""
    sets.make(statefulset(replicas=1), settled=False)
    status = {"allocatedResourceStatuses": {"storage": word}}
    path = f"/api/v1/namespaces/{sets.namespace}/persistentvolumeclaims/data-db-0/status"

    with pytest.raises(ApiRefusal) as refusal:
        sets.cluster.api.request("PATCH", path, {"status": status}, MERGE)

    record(f"{word} is answered {refusal.value.code}")
    assert 422 == refusal.value.code


def test_69_a_volume_that_cannot_grow_follows_a_lowered_wish(sets: Sets, run: Run) -> None:
    """Over the driver's maximum nothing is saved or deleted; a smaller wish is then followed."""
    sets.make(statefulset(replicas=1, sizes={"data": "2Gi"}, storage_class="max"), settled=False)

    with run() as operator:
        sets.annotate("db", resize_0="12Gi")
        status = sets.wait_status("db", "Blocked: Infeasible", 90)
        written = writes(operator)
        sets.annotate("db", resize_0="5Gi")
        sets.wait_status("db", "Done: data=5Gi", 90)
        errors = metric(operator, "rso_reconciles_total", result="error")

    assert status == (
        "Blocked: Infeasible: the storage of claim data-db-0 cannot grow to the 12Gi that it asks "
        "for; lower the wish to a size above 2Gi and below 12Gi; nothing was deleted"
    )
    assert written == ["patch persistentvolumeclaims"]
    assert errors == 0
    assert sets.requests() == {"data-db-0": "5Gi"}
    assert template_sizes(sets.get("db")) == {"data": "5Gi"}
