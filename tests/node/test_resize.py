"""The main job on real file systems: they grow under Pods that write, and nothing else changes."""

import pytest

from tests.node.database import (
    MIB,
    database,
    filesystem_bytes,
    journal,
    restarts,
    wait_more_records,
    wait_records,
)
from tests.node.observer import Observer
from tests.support.fixtures import Run
from tests.support.recording import Record
from tests.support.sets import (
    PREFIX,
    Json,
    Sets,
    Snapshot,
    check_unharmed,
    request_of,
    template_sizes,
    to_bytes,
)

VOLUMES = {"data": ("xfs", "300Mi"), "logs": ("btrfs", "128Mi")}
GROWN_MIB = {"data": 950, "logs": 512}  # xfs keeps a log of 64 MiB for itself
PODS = ("db-0", "db-1", "db-2")


@pytest.mark.changes("spec", "pods")  # scaled up at the end
def test_rows_1_23_92_two_volumes_of_three_pods_grow_while_they_write(
    sets: Sets, run: Run, observer: Observer, record: Record
) -> None:
    """Two wishes are one recreate; every record stays, no Pod changes, new replicas start big."""
    sets.make(database(volumes=VOLUMES, replicas=3))
    before = Snapshot.of(sets, "db")

    with run() as operator:
        sets.annotate("db", resize_0="1Gi", resize_1="512Mi")
        sets.wait_status("db", "Done")
        after = Snapshot.of(sets, "db")
        for pod in PODS:
            wait_more_records(sets, pod, 10)
            _check_volumes(sets, pod, record)
        sets.cluster.merge("sts", "db", sets.namespace, {"spec": {"replicas": 4}})
        wait_records(sets, "db-3", 1, "logs")

    assert observer.statuses("db") == [
        "Growing: data=1Gi, logs=512Mi",
        "Done: data=1Gi, logs=512Mi",
    ]
    assert to_bytes("1Gi") <= observer.least_capacity_when_done("db", "data")
    assert to_bytes("512Mi") <= observer.least_capacity_when_done("db", "logs")
    assert template_sizes(after.statefulset) == {"data": "1Gi", "logs": "512Mi"}
    check_unharmed(before, after)
    assert len(observer.set_uids("db")) == 2
    assert [len(observer.pod_uids(pod)) for pod in PODS] == [1, 1, 1]
    deletes = [sent for sent in operator.wire.changes() if sent.request.verb == "delete"]
    assert [sent.request.resource.plural for sent in deletes] == ["statefulsets", "configmaps"]
    _check_volumes(sets, "db-3", record)


def _check_volumes(sets: Sets, pod: str, record: Record) -> None:
    for volume, mebibytes in GROWN_MIB.items():
        written = journal(sets, pod, volume)
        record(
            f"{pod} {volume}: {len(written.records)} records, "
            f"largest gap {written.largest_gap():.2f} s"
        )
        assert written.records
        assert written.is_whole
        assert mebibytes <= filesystem_bytes(sets, pod, volume) // MIB


def test_row_12_the_retention_policy_comes_back(sets: Sets, run: Run) -> None:
    """Claims of a set with `whenDeleted: Delete` survive, and belong to the new set."""
    policy = {"whenDeleted": "Delete", "whenScaled": "Retain"}
    sets.make(database(persistentVolumeClaimRetentionPolicy=policy))
    before = Snapshot.of(sets, "db")

    with run():
        sets.annotate("db", resize_0="600Mi")
        sets.wait_status("db", "Done")
        sets.wait(lambda: _owner_uids(sets) == {sets.get("db")["metadata"]["uid"]}, "new owners")
    after = Snapshot.of(sets, "db")

    check_unharmed(before, after)
    assert policy == after.statefulset["spec"]["persistentVolumeClaimRetentionPolicy"]
    assert f"{PREFIX}when-deleted" not in after.statefulset["metadata"]["annotations"]
    assert before.statefulset["metadata"]["uid"] != after.statefulset["metadata"]["uid"]
    assert journal(sets, "db-0").is_whole


def _owner_uids(sets: Sets) -> set[str]:
    claims = sets.claims().values()
    return {
        owner["uid"] for claim in claims for owner in claim["metadata"].get("ownerReferences", [])
    }


@pytest.mark.changes("pods")
def test_row_19_a_rolling_update_ends_first(sets: Sets, run: Run) -> None:
    """The claims grow at once; the template follows when the rolling update has ended."""
    first = sets.make(database())
    probe = {"exec": {"command": ["test", "-f", "/ready"]}, "periodSeconds": 1}
    made = database()
    made["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = probe
    sets.cluster.apply(made, sets.namespace)
    sets.wait(lambda: _is_rolling(sets.get("db")), "the rolling update")

    with run():
        sets.annotate("db", resize_0="600Mi")
        waiting = sets.wait_status("db", "Waiting")
        grown = sets.requests()
        untouched = sets.get("db")
        sets.wait(lambda: _runs_last_revision(sets, "db-0"), "the new Pod")
        sets.cluster.kubectl("exec", f"-n{sets.namespace}", "db-0", "--", "touch", "/ready")
        sets.wait_status("db", "Done")

    sentence = "the claims have grown; the template follows when the rolling update has ended"
    assert f"Waiting: RollingUpdate: {sentence}" == waiting
    assert {"data-db-0": "600Mi"} == grown
    assert first["metadata"]["uid"] == untouched["metadata"]["uid"]
    assert template_sizes(sets.get("db")) == {"data": "600Mi"}
    assert restarts(sets, "db") == 0


def _is_rolling(found: Json) -> bool:
    status = found["status"]
    is_observed = status["observedGeneration"] == found["metadata"]["generation"]
    return bool(is_observed and status["currentRevision"] != status["updateRevision"])


def _runs_last_revision(sets: Sets, pod: str) -> bool:
    found = sets.pods("db").get(pod)
    if found is None:
        return False
    states = [status["state"] for status in found["status"].get("containerStatuses", [])]
    revision = sets.get("db")["status"]["updateRevision"]
    is_last = found["metadata"]["labels"]["controller-revision-hash"] == revision
    return is_last and any("running" in state for state in states)


@pytest.mark.changes("spec", "pods")
def test_rows_20_73_every_form_of_a_set(sets: Sets, run: Run) -> None:
    """Parallel, numbered from 5, scaled to 0: all claims grow; a left one ends with its Pod."""
    sets.make(database("parallel", replicas=2), settled=False)
    ordered = database("ordered", podManagementPolicy="OrderedReady", ordinals={"start": 5})
    sets.make(ordered, settled=False)
    sets.make(database("idle"), settled=False)
    sets.cluster.merge("sts", "idle", sets.namespace, {"spec": {"replicas": 0}})
    sets.wait(lambda: not sets.pods("idle"), "the end of the Pod of idle")

    with run():
        for name in ("parallel", "ordered", "idle"):
            sets.annotate(name, resize_0="600Mi")
        statuses = {sets.wait_status(name, "Done") for name in ("parallel", "ordered", "idle")}
        requests = sets.requests()
        sets.cluster.merge("sts", "idle", sets.namespace, {"spec": {"replicas": 1}})
        wait_records(sets, "idle-0", 1)
        sets.wait(lambda: _capacity(sets, "data-idle-0") == "600Mi", "the capacity of data-idle-0")
        sets.wait_status("idle", "Done")

    assert statuses == {"Done: data=600Mi"}
    assert requests == {
        "data-idle-0": "600Mi",
        "data-ordered-5": "600Mi",
        "data-parallel-0": "600Mi",
        "data-parallel-1": "600Mi",
    }
    for pod in ("parallel-0", "parallel-1", "ordered-5", "idle-0"):
        assert filesystem_bytes(sets, pod) // MIB > 500
        assert journal(sets, pod).is_whole


def _capacity(sets: Sets, claim: str) -> str:
    return str(sets.claims()[claim]["status"]["capacity"]["storage"])


@pytest.mark.parametrize(
    ("wish", "request_bytes"),
    [
        pytest.param("0.7G", 700_000_000, id="decimal"),
        pytest.param("0.6001Gi", 644_352_469, id="fractions-of-bytes"),
    ],
)
def test_row_77_sizes_that_no_driver_has(
    sets: Sets, run: Run, wish: str, request_bytes: int
) -> None:
    """Whole bytes are asked for, and a volume that the driver rounds up counts as done."""
    sets.make(database())

    with run():
        sets.annotate("db", resize_0=wish)
        sets.wait_status("db", "Done")

    asked = request_of(sets.claims()["data-db-0"])
    assert request_bytes == to_bytes(asked)
    assert request_bytes == to_bytes(template_sizes(sets.get("db"))["data"])
    assert filesystem_bytes(sets, "db-0") // MIB > 500


def test_row_79_many_claims(sets: Sets, run: Run, observer: Observer, record: Record) -> None:
    """Twenty volumes take their time: nothing is called stuck, and the set is replaced once."""
    manifest = database(volumes={"data": ("btrfs", "128Mi")}, replicas=20)
    manifest["spec"]["template"]["spec"]["containers"][0].pop("command")
    sets.make(manifest)
    before = Snapshot.of(sets, "db")

    with run() as operator:
        sets.annotate("db", resize_0="256Mi")
        sets.wait_status("db", "Done", seconds=100)
        assert operator.resizer is not None
        text = operator.resizer.metrics.render().decode()

    check_unharmed(before, Snapshot.of(sets, "db"))
    assert observer.statuses("db") == ["Growing: data=256Mi", "Done: data=256Mi"]
    assert set(sets.requests().values()) == {"256Mi"}
    assert to_bytes("256Mi") == observer.least_capacity_when_done("db", "data")
    line = next(each for each in text.splitlines() if "absence_seconds_sum" in each)
    record(f"20 Pods: absent for {float(line.split()[-1]) * 1000:.0f} ms")
