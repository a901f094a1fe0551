"""The controller manager, stopped for a while."""

import contextlib
import fcntl
from collections.abc import Iterator

from testbed.cluster import Cluster
from tests.support.sets import Sets


@contextlib.contextmanager
def stopped_controllers(cluster: Cluster) -> Iterator[None]:
    """Stop the controller manager; tests of other processes that stop it, too, wait their turn."""
    with cluster.bed.path("controller-manager.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cluster.signal("kube-controller-manager", "STOP")
        try:
            yield
        finally:
            cluster.signal("kube-controller-manager", "CONT")


def is_terminating(sets: Sets) -> bool:
    """Return whether the set is deleted but not orphaned yet."""
    metadata = sets.get("db")["metadata"]
    return "deletionTimestamp" in metadata and "orphan" in metadata["finalizers"]
