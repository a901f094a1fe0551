"""Recreates by hand in quick succession: what Kubernetes itself does to the Pods (S9)."""

import time
from itertools import pairwise

import pytest

from tests.cluster.once import go_away, wait_gone
from tests.cluster.revisions import pod_uid
from tests.support.recording import Record
from tests.support.sets import Json, Sets, statefulset

REPEATS = 50
AT_ONCE_SECONDS = 0.010


@pytest.mark.timeout(300)
def test_21_a_recreate_by_hand_right_after_another_may_cost_the_pod(
    sets: Sets, record: Record
) -> None:
    """Fifty times a set goes again as soon as it was made: how often its Pod is made anew.

    Whether it is, a race in the controller manager decides. Each time the set ends with one Pod
    that is its own, and what the resizer's own wait is for is on record.
    """
    manifest = statefulset(replicas=1)
    sets.make(manifest, settled=False)
    uids = [pod_uid(sets, "db-0")]
    seconds = list[float]()

    for _ in range(REPEATS):
        seconds.append(recreate_twice(sets, manifest))
        uids.append(pod_uid(sets, "db-0"))

    fast = sum(each <= AT_ONCE_SECONDS for each in seconds)
    lost = sum(before != after for before, after in pairwise(uids))
    version = sets.cluster.api.request("GET", "/version")["gitVersion"]
    record(
        f"{version}: {fast} of {REPEATS} deletes within 10 ms of the create; "
        f"{lost} times Kubernetes made the Pod anew"
    )
    assert all(uids)


def recreate_twice(sets: Sets, manifest: Json) -> float:
    """Recreate `db` and again; return the seconds from the first create to its delete's answer."""
    go_away(sets)
    sets.cluster.apply(manifest, sets.namespace)
    started = time.monotonic()
    sets.cluster.delete("statefulset", "db", sets.namespace, "Orphan")
    seconds = time.monotonic() - started
    wait_gone(sets)
    uid = sets.cluster.apply(manifest, sets.namespace)["metadata"]["uid"]
    sets.wait(lambda: owners(sets) == [uid], "the Pod is adopted")
    return seconds


def owners(sets: Sets) -> list[str]:
    """Return the uids that Pod 0 names as its owners; none while there is no Pod."""
    pod = sets.pods("db").get("db-0", {"metadata": {}})
    return [each["uid"] for each in pod["metadata"].get("ownerReferences", [])]
