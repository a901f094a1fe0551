"""A set that is away for longer than one look may take: the backup brings it back later."""

from pathlib import Path

import pytest

from tests.cluster.looks import count, metric
from tests.support.controllers import is_terminating
from tests.support.fixtures import Run
from tests.support.sets import PREFIX, Json, Sets, statefulset, template_sizes
from tests.support.webhooks import webhook

COLLECTOR = "system:serviceaccount:kube-system:generic-garbage-collector"
LOOK_SECONDS = 60.0  # a look gives its worker back after 40
LATER_SECONDS = 120.0  # the collector tries ever more rarely


@pytest.mark.timeout(300)
def test_25_a_set_that_is_away_longer_than_a_look_comes_back_once(
    sets: Sets, run: Run, operator_namespace: str, tmp_path: Path
) -> None:
    """The collector cannot orphan for over 40 s: the look ends, the backup stays, one create.

    Only the collector's writes to this namespace's sets are refused, so that no other test waits.
    """
    sets.make(statefulset(replicas=0))
    held = [True]

    def hold(request: Json) -> Json:
        is_collector = request["userInfo"]["username"] == COLLECTOR
        refused = {"allowed": False, "status": {"code": 403, "message": "not yet"}}
        return refused if is_collector and held else {"allowed": True}

    with webhook(sets.cluster, sets.namespace, tmp_path, hold, operation="UPDATE"), run() as only:
        sets.annotate("db", resize_0="2Gi")
        sets.wait(lambda: is_going(sets), "the set is Terminating")
        before = only.looks
        sets.wait(lambda: only.looks > before, "the look has ended", LOOK_SECONDS)
        is_still_going = is_terminating(sets)
        kept = sets.cluster.list("configmap", operator_namespace, f"{PREFIX}phase=deleting")
        absent = metric(only, "rso_absent_statefulsets")
        held.clear()
        sets.wait(lambda: sets.status("db") == "Done: data=2Gi", "it is back", LATER_SECONDS)

    assert is_still_going
    assert (1, 1) == (len(kept), absent)
    assert {"data": "2Gi"} == template_sizes(sets.get("db"))
    assert 1 == count(only, "delete statefulsets") == count(only, "create statefulsets")


def is_going(sets: Sets) -> bool:
    return sets.find("db") is not None and is_terminating(sets)
