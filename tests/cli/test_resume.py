"""`rso resume`: with the key alone it brings an absent set back, and fights no operator."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from rso.core.names import Phase
from rso.kube.clock import SystemClock
from rso.kube.lease import MICROTIME
from tests.cli.absent import make_absent, make_backup
from tests.cli.running import Rso
from tests.support.operators import make_keys
from tests.support.sets import Sets, Snapshot, statefulset, template_sizes

LEASE = "resize-statefulset-operator-resizer"


@contextmanager
def renewing(sets: Sets, rso: Rso) -> Iterator[None]:
    """Hold the resizer's Lease, renewed as by an operator that runs."""
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": LEASE}}
    spec = {"holderIdentity": "op-1", "leaseDurationSeconds": 15}
    ended = Event()

    def renew() -> None:
        while True:
            now = SystemClock().now().strftime(MICROTIME)
            sets.cluster.apply(
                {**lease, "spec": {**spec, "renewTime": now}}, rso.operator_namespace
            )
            if ended.wait(0.3):
                return

    thread = Thread(target=renew)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_an_absent_set_is_brought_back(sets: Sets, rso: Rso, key_dir: Path) -> None:
    """With the key alone the set comes back, its Pods kept, and its backup is gone."""
    make_absent(sets, rso, key_dir)
    pods = {name: pod["metadata"]["uid"] for name, pod in sets.pods("db").items()}

    status = rso("status")
    shown = rso(f"backup show db --key-dir {key_dir}")
    listed = rso("backup list").out.splitlines()[1].split("  ")
    ran = rso.apart(f"resume db --key-dir {key_dir} --timeout 50s")

    assert "Absent" in status.out
    assert shown.out.startswith("# the StatefulSet that backup srb-1 holds\napiVersion: apps/v1\n")
    assert "storage: 2Gi" in shown.out
    assert ["app", "db", "srb-1", "deleting"] == listed[:4]
    assert (0, "app/db is back, with data=2Gi\n") == (ran.code, ran.out)
    assert {"data": "2Gi"} == template_sizes(sets.get("db"))
    after = Snapshot.of(sets, "db")
    assert pods == {name: pod["metadata"]["uid"] for name, pod in after.pods.items()}
    assert "there are no backups for sets of namespace app in rso-system\n" == (
        rso("backup list").out
    )


def test_a_wrong_key_brings_nothing_back(sets: Sets, rso: Rso, key_dir: Path) -> None:
    """Without the right key the end is 1, the key that is needed is named, the backup is kept."""
    make_backup(sets, rso, make_keys(key_dir.parent / "others"), Phase.DELETING)

    ran = rso.apart(f"resume db --key-dir {key_dir}")

    assert 1 == ran.code
    assert "it was sealed with the key 'k-" in ran.err
    assert "srb-1  deleting" in rso("backup list").out


def test_a_running_operator_is_left_alone(sets: Sets, rso: Rso, key_dir: Path) -> None:
    """While somebody renews the Lease, the end is 1 and the holder is named."""
    make_backup(sets, rso, key_dir, Phase.DELETING)

    with renewing(sets, rso):
        ran = rso.apart(f"resume db --key-dir {key_dir}")

    assert 1 == ran.code
    assert "rso: the operator op-1 runs and brings the set back itself" in ran.err
    assert "srb-1  deleting" in rso("backup list").out


def test_force_does_without_the_lease(sets: Sets, rso: Rso, key_dir: Path) -> None:
    """With --force a held Lease holds nothing up: here the backup is of an unusable set."""
    make_backup(sets, rso, key_dir, Phase.DELETING)

    with renewing(sets, rso):
        ran = rso.apart(f"resume db --key-dir {key_dir} --force --timeout 2s")

    assert 4 == ran.code
    assert "absent set is created from its backup" in ran.err
    assert "run this again, or start the operator: either goes on where this ended" in ran.err


def test_a_set_that_its_user_deleted_stays_deleted(sets: Sets, rso: Rso, key_dir: Path) -> None:
    """A backup of which nothing was deleted creates nothing; the end is 1."""
    make_backup(sets, rso, key_dir, None)

    ran = rso.apart(f"resume db --key-dir {key_dir}")

    assert 1 == ran.code
    assert "deleted by somebody else, not for a resize, so it stays deleted" in ran.err
    assert "srb-1  copy" in rso("backup list").out


def test_a_set_that_is_there_needs_nothing(sets: Sets, rso: Rso, key_dir: Path) -> None:
    """A set without a begun recreate is left as it is, whatever it wishes."""
    sets.make(statefulset(replicas=1), settled=False)
    sets.annotate("db", resize_0="2Gi")

    ran = rso.apart(f"resume db --key-dir {key_dir}")

    expected = "StatefulSet app/db is there; no recreate of it waits to be finished\n"
    assert (0, expected) == (ran.code, ran.out)
    assert {"data-db-0": "1Gi"} == sets.requests()
