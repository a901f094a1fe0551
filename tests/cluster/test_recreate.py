"""The main job: claims grow, the template follows, nothing else changes."""

from tests.support.fixtures import Run
from tests.support.sets import Sets, Snapshot, check_unharmed, statefulset, template_sizes


def test_a_wish_grows_every_claim_and_the_template(sets: Sets, run: Run) -> None:
    """A bigger wish grows every claim and the template, and no Pod restarts."""
    sets.make(statefulset())
    before = Snapshot.of(sets, "db")

    with run() as operator:
        sets.annotate("db", resize_0="2Gi")
        status = sets.wait_status("db", "Done")
        after = Snapshot.of(sets, "db")

    assert status == "Done: data=2Gi"
    assert template_sizes(after.statefulset) == {"data": "2Gi"}
    assert sets.requests() == {"data-db-0": "2Gi", "data-db-1": "2Gi", "data-db-2": "2Gi"}
    check_unharmed(before, after)
    deletes = [sent for sent in operator.wire.changes() if sent.request.verb == "delete"]
    assert [sent.request.resource.plural for sent in deletes] == ["statefulsets", "configmaps"]
