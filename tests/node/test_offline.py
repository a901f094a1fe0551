"""File systems that a node grows only while no container uses them: told, or cured by eviction."""

import pytest

from testbed.watch import Watch
from tests.node.database import MIB, database, filesystem_bytes, journal, wait_records
from tests.support.clocks import ShiftedClock
from tests.support.fixtures import Run
from tests.support.offline import CONSENT, grow_volumes, pass_time
from tests.support.recording import Record
from tests.support.sets import Json, Sets, Snapshot, check_unharmed

VOLUMES = {"data": ("offline-node", "300Mi")}
PODS = ("db-0", "db-1", "db-2")


class Steps:
    """The moments in which Pods came, were asked to go and got ready, in order."""

    def __init__(self, sets: Sets) -> None:
        self.seen: list[str] = []
        self._last: dict[str, str] = {}
        self._watch = Watch(sets.cluster.api, "pod", sets.namespace, self._see).start()

    def stop(self) -> None:
        """End."""
        self._watch.stop()

    def _see(self, _at: float, _change: str, pod: Json) -> None:
        metadata = pod["metadata"]
        is_ready = any(
            each["type"] == "Ready" and each["status"] == "True"
            for each in pod["status"].get("conditions", [])
        )
        word = "goes" if "deletionTimestamp" in metadata else "ready" if is_ready else ""
        if word and self._last.get(metadata["uid"]) != word:
            self._last[metadata["uid"]] = word
            self.seen.append(f"{metadata['name']} {word}")


@pytest.mark.changes("pods")  # that is what was asked for
def test_row_71_pods_are_evicted_one_by_one_for_their_filesystems(
    sets: Sets, run: Run, record: Record
) -> None:
    """Each Pod once, the last first, the next when it is ready again; no record is lost."""
    clock = ShiftedClock()
    sets.make(database(volumes=VOLUMES, replicas=3, annotations=CONSENT))

    with run(clock=clock) as operator:
        grow_volumes(sets, "600Mi")
        for pod in PODS:
            wait_records(sets, pod, 3)
        early = {pod: journal(sets, pod).records for pod in PODS}
        small = {filesystem_bytes(sets, pod) // MIB for pod in PODS}
        steps = Steps(sets)
        pass_time(sets, clock)
        sets.wait_status("db", "Done: data=600Mi", 90)
        evicted = operator.metric("rso_pods_evicted_total")
        for pod in PODS:
            wait_records(sets, pod, len(early[pod]) + 3)
        sets.wait(lambda: len(steps.seen) == 9, "the last Pod is ready")
    steps.stop()

    record(", ".join(steps.seen))
    order = [f"{pod} {word}" for pod in reversed(PODS) for word in ("goes", "ready")]
    assert order == steps.seen[len(PODS) :]
    assert 3 == evicted
    assert {236} == small
    for pod in PODS:
        assert filesystem_bytes(sets, pod) // MIB > 500
        written = journal(sets, pod)
        assert written.is_whole
        assert early[pod] == written.records[: len(early[pod])]


def test_row_71_without_consent_no_pod_is_touched(sets: Sets, run: Run) -> None:
    """After the time in which an online resize could finish, the commands that cure it are told."""
    clock = ShiftedClock()
    sets.make(database(volumes=VOLUMES))
    before = Snapshot.of(sets, "db")

    with run(clock=clock):
        grow_volumes(sets, "600Mi")
        pass_time(sets, clock)
        status = sets.wait_status("db", "Blocked: NeedsDowntime")

    assert status.endswith(f"run: kubectl -n {sets.namespace} delete pod db-0")
    check_unharmed(before, Snapshot.of(sets, "db"))
    assert journal(sets, "db-0").is_whole
