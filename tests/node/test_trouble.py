"""Storage that refuses, fails or takes its time: what is told, and that no Pod is touched."""

import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from testbed.api import ApiRefusal
from testbed.csi.volumes import DRIVER_NAME
from testbed.process import BedError
from tests.cluster.looks import metric
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
from tests.support.offline import CONSENT
from tests.support.sets import Json, Sets, Snapshot, check_unharmed, template_sizes

MakeClass = Callable[..., str]


@pytest.fixture
def make_class(sets: Sets) -> Iterator[MakeClass]:
    """Yield what makes a storage class on xfs of the test's own; its name is returned."""
    made = []

    def make(**parameters: str) -> str:
        name = f"class-{sets.namespace}"
        obj = {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": name},
            "provisioner": DRIVER_NAME,
            "allowVolumeExpansion": True,
            "parameters": {"csi.storage.k8s.io/fstype": "xfs", **parameters},
        }
        made.append(name)
        sets.cluster.apply(obj)
        return name

    yield make
    for name in made:
        sets.cluster.delete("storageclass", name)


def test_row_69_a_wish_over_the_drivers_maximum(
    sets: Sets, run: Run, make_class: MakeClass, operator_namespace: str, observer: Observer
) -> None:
    """Nothing is saved or deleted; a wish lowered enough is followed and frees its quota."""
    sets.cluster.apply(_quota(), sets.namespace)
    sets.make(database(volumes={"data": (make_class(maxSize="600Mi"), "300Mi")}))

    with run() as operator:
        sets.annotate("db", resize_0="1Gi")
        status = sets.wait_status("db", "Blocked")
        kept = sets.cluster.list("configmap", operator_namespace)
        looks = metric(operator, "rso_reconciles_total")
        sets.annotate("db", resize_0="200Mi")
        sets.wait(lambda: metric(operator, "rso_reconciles_total") > looks + 1, "two more looks")
        too_low = sets.status("db")
        sets.annotate("db", resize_0="500Mi")
        sets.wait_status("db", "Done")

    assert status == (
        "Blocked: Infeasible: the storage of claim data-db-0 cannot grow to the 1Gi that it asks "
        "for; lower the wish to a size above 300Mi and below 1Gi; nothing was deleted"
    )
    assert status == too_low
    assert [] == [each["metadata"]["name"] for each in kept if _is_backup(each)]
    assert len(observer.set_uids("db")) == 2
    assert sets.requests() == {"data-db-0": "500Mi"}
    assert template_sizes(sets.get("db")) == {"data": "500Mi"}
    assert restarts(sets, "db") == 0
    assert journal(sets, "db-0").is_whole
    sets.wait(lambda: _used(sets) == "500Mi", "the quota is given back")


def _quota() -> Json:
    hard = {"requests.storage": "2Gi"}
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "storage"},
        "spec": {"hard": hard},
    }


def _used(sets: Sets) -> str:
    quota = sets.cluster.get("resourcequota", "storage", sets.namespace) or {}
    return str(quota["status"]["used"]["requests.storage"])


def _is_backup(config_map: Json) -> bool:
    labels: Json = config_map["metadata"].get("labels", {})
    return labels.get("app.kubernetes.io/component") == "backup"


def test_row_70_a_node_that_never_grows_the_file_system(
    sets: Sets, run: Run, observer: Observer
) -> None:
    """The template follows, since the volume has grown, but the set is not Done and no Pod goes."""
    sets.make(database(volumes={"data": ("broken-node", "300Mi")}))
    before = Snapshot.of(sets, "db")

    with run():
        sets.annotate("db", resize_0="600Mi")
        sets.wait(lambda: _is_replaced(sets, "600Mi"), "the template")
        sets.wait(lambda: "NodeResizeError" in _conditions(sets), "the node's refusal")
        wait_more_records(sets, "db-0", 10)

    assert observer.statuses("db") == ["Growing: data=600Mi"]
    with pytest.raises(ApiRefusal, match=r"field can not be less than status\.capacity"):
        sets.cluster.merge("pvc", "data-db-0", sets.namespace, _request("300Mi"))
    check_unharmed(before, Snapshot.of(sets, "db"))
    assert journal(sets, "db-0").is_whole


def _is_replaced(sets: Sets, size: str) -> bool:
    """Return whether the template has this size; for a moment there is no set at all."""
    found = sets.find("db")
    return found is not None and template_sizes(found) == {"data": size}


def _conditions(sets: Sets) -> set[str]:
    listed = sets.claims()["data-db-0"]["status"].get("conditions", [])
    return {entry["type"] for entry in listed if entry["status"] == "True"}


def _request(size: str) -> Json:
    return {"spec": {"resources": {"requests": {"storage": size}}}}


@pytest.mark.changes("pods")  # by the commands that cure it
def test_row_71_a_driver_that_grows_only_unused_volumes(sets: Sets, run: Run) -> None:
    """No Pod is touched, although the set consents to evictions: they would not help (V44).

    The commands that the status gives, run as they are, cure the set.
    """
    volumes = {"data": ("ext4", "64Mi")}
    sets.make(database(volumes=volumes, replicas=2, annotations=CONSENT))
    before = Snapshot.of(sets, "db")

    with run():
        sets.annotate("db", resize_0="128Mi")
        both = "data-db-0 data-db-1"
        sets.wait(lambda: both in sets.status("db"), "a status that names both claims")
        status = sets.status("db")
        blocked = Snapshot.of(sets, "db")
        for command in _commands(status):
            sets.cluster.kubectl(*command)
        for pod in ("db-0", "db-1"):
            wait_records(sets, pod, 1)
        sets.wait_status("db", "Done")

    kubectl = f"kubectl -n {sets.namespace}"
    assert status == (
        "Blocked: NeedsDowntime: the driver of claim data-db-0 grows a volume only while no Pod "
        "uses it; when the set may stop, run: "
        f"{kubectl} scale statefulset db --replicas=0; "
        f"{kubectl} wait pvc {both} --for=condition=FileSystemResizePending --timeout=10m; "
        f"{kubectl} scale statefulset db --replicas=2"
    )
    check_unharmed(before, blocked)
    for pod in ("db-0", "db-1"):
        assert filesystem_bytes(sets, pod) // MIB > 100
        assert journal(sets, pod).is_whole


def _commands(status: str) -> list[list[str]]:
    """Return the arguments of each kubectl command in a status."""
    return [shlex.split(each)[1:] for each in re.findall(r"kubectl [^;]*", status)]


def test_row_72_a_slow_node(sets: Sets, run: Run, observer: Observer) -> None:
    """While the node takes its time no Pod is restarted, and nothing is called done."""
    sets.make(database())
    before = Snapshot.of(sets, "db")
    volume = sets.cluster.csi_volume(sets.namespace, "data-db-0")
    sets.cluster.csi_fault("NodeExpandVolume", volume=volume, delay=8, times=1)

    with run():
        sets.annotate("db", resize_0="600Mi")
        sets.wait(lambda: _is_replaced(sets, "600Mi"), "the template")
        growing = (filesystem_bytes(sets, "db-0") // MIB, sets.status("db"))
        sets.wait_status("db", "Done")

    assert (236, "Growing: data=600Mi") == growing
    assert observer.statuses("db") == ["Growing: data=600Mi", "Done: data=600Mi"]
    assert filesystem_bytes(sets, "db-0") // MIB > 500
    check_unharmed(before, Snapshot.of(sets, "db"))
    assert journal(sets, "db-0").is_whole


@pytest.mark.changes("pods")  # its container starts again
def test_row_78_a_pod_that_crashes_on_its_full_disk(
    sets: Sets, run: Run, observer: Observer
) -> None:
    """The set is replaced before its Pod is ready, and the bigger disk cures the same Pod.

    The records of the container before the crash are there, and the next ones go on from them.
    """
    sets.make(database())
    wait_records(sets, "db-0", 5)
    early = journal(sets, "db-0").records
    _fill(sets, "db-0")
    sets.wait(lambda: _is_crashing(sets), "a Pod that crash-loops")

    with run():
        sets.annotate("db", resize_0="600Mi")
        sets.wait_status("db", "Done")
        sets.wait(lambda: sets.is_ready("db"), "the Pod is cured", 90)
        wait_more_records(sets, "db-0", 5)

    assert len(observer.set_uids("db")) == 2
    assert sets.get("db")["metadata"]["creationTimestamp"] <= _ready_since(sets)
    assert len(observer.pod_uids("db-0")) == 1
    written = journal(sets, "db-0")
    assert written.is_whole
    assert early == written.records[: len(early)]
    assert len(written.records) >= len(early) + 5


def _ready_since(sets: Sets) -> str:
    """Return when the Pod got ready, a time that sorts as text."""
    conditions = sets.pods("db")["db-0"]["status"]["conditions"]
    ready = next(each for each in conditions if each["type"] == "Ready")
    assert ready["status"] == "True"
    return str(ready["lastTransitionTime"])


def _fill(sets: Sets, pod: str) -> None:
    """Write until there is no space left; the container may end before the command does."""
    script = "dd if=/dev/zero of=/data/ballast bs=1M; dd if=/dev/zero bs=4k >> /data/ballast"
    with suppress(BedError):
        sets.cluster.kubectl("exec", f"-n{sets.namespace}", pod, "--", "sh", "-c", script)


def _is_crashing(sets: Sets) -> bool:
    states = [
        status["state"].get("waiting", {}).get("reason")
        for status in sets.pods("db")["db-0"]["status"].get("containerStatuses", [])
    ]
    return "CrashLoopBackOff" in states
