"""Fixtures of the tests with a webhook that the API server really asks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rso.app.authority import make_authority, make_leaf
from rso.kube.clock import SystemClock
from testbed.cluster import Cluster
from tests.support.fixtures import key_dir, operator_namespace
from tests.support.reviewers import SERVICE, Reviewer, serving, settings_of
from tests.support.sets import Sets

__all__ = ["key_dir", "operator_namespace"]


@pytest.fixture(scope="module")
def reviewer(cluster: Cluster) -> Iterator[Reviewer]:
    """Yield a webhook that reviews the sets of one namespace, for the tests of a module."""
    reviewed, own = cluster.make_namespace(), cluster.make_namespace()
    with serving(cluster, settings_of(cluster, reviewed, own)) as running:
        yield running
    for namespace in (reviewed, own):
        cluster.leave_namespace(namespace)


@pytest.fixture
def sets(cluster: Cluster, reviewer: Reviewer) -> Iterator[Sets]:
    """Yield the objects of the reviewed namespace, in which there is no `db` before and after."""
    found = Sets(cluster, reviewer.settings.namespaces[0])
    yield found
    cluster.delete("statefulset", "db", found.namespace)
    found.wait(lambda: found.find("db") is None, "the set has gone")


@pytest.fixture
def files(tmp_path: Path, operator_namespace: str) -> Path:
    """Return a directory with a pair for the Service of the test, and its authority."""
    now = SystemClock().now()
    authority = make_authority(now)
    leaf = make_leaf(authority, (f"{SERVICE}.{operator_namespace}.svc",), now)
    directory = tmp_path / "tls"
    directory.mkdir()
    (directory / "tls.crt").write_bytes(leaf.certificate)
    (directory / "tls.key").write_bytes(leaf.key)
    (directory / "ca.crt").write_bytes(authority.certificate)
    return directory
