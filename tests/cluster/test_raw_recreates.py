"""Recreates by hand in quick succession: what Kubernetes itself does to the Pods (S9)."""

import time

import pytest

from tests.cluster.once import go_away, wait_gone
from tests.cluster.revisions import pod_uid
from tests.support.recording import Record
from tests.support.sets import Json, Sets, statefulset

REPEATS = 50
AT_ONCE_SECONDS = 0.010


@pytest.mark.timeout(300)
def test_21_two_recreates_at_once_by_hand_keep_the_pod(sets: Sets, record: Record) -> None:
    """Fifty times a set goes again as soon as it was made; its Pod is never made anew."""
    manifest = statefulset(replicas=1)
    sets.make(manifest, settled=False)
    first = pod_uid(sets, "db-0")
    seconds = list[float]()
    seen = list[str]()

    for _ in range(REPEATS):
        seconds.append(recreate_twice(sets, manifest))
        seen.append(pod_uid(sets, "db-0"))

    fast = sum(each <= AT_ONCE_SECONDS for each in seconds)
    version = sets.cluster.api.request("GET", "/version")["gitVersion"]
    record(f"{version}: {fast} of {REPEATS} deletes within 10 ms of the create")
    assert [first] * REPEATS == seen


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
