"""Fixtures of the tests with a real node: file systems grow under Pods that write."""

from collections.abc import Iterator

import pytest

from testbed.cluster import Cluster
from tests.node.observer import Observer
from tests.node.scraper import port
from tests.support.fixtures import at_rest, key_dir, operator_namespace, plain_run, run, sets
from tests.support.sets import Sets

__all__ = ["at_rest", "key_dir", "operator_namespace", "plain_run", "port", "run", "sets"]


@pytest.fixture(scope="session")
def cluster(node_cluster: Cluster) -> Cluster:
    """Return the cluster with a real node: the shared fixtures then use that one."""
    return node_cluster


@pytest.fixture
def observer(sets: Sets) -> Iterator[Observer]:
    """Yield what follows each change in the test's namespace."""
    observing = Observer(sets)
    yield observing
    observing.stop()
