"""Fixtures of the tests with operators; loaded by each folder's conftest."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from testbed.cluster import Cluster
from tests.support.operators import Operator, make_keys, running
from tests.support.rows import Row
from tests.support.sets import Sets

Run = Callable[..., AbstractContextManager[Operator]]


@pytest.fixture
def sets(cluster: Cluster, namespace: str) -> Sets:
    """Return the objects of the test's namespace."""
    return Sets(cluster, namespace)


@pytest.fixture
def operator_namespace(cluster: Cluster) -> Iterator[str]:
    """Yield a namespace for the operator's backups and Lease."""
    made = cluster.make_namespace()
    yield made
    cluster.leave_namespace(made)


@pytest.fixture
def key_dir(tmp_path: Path) -> Path:
    """Return a key directory with one key."""
    return make_keys(tmp_path / "keys")


@pytest.fixture
def plain_run(cluster: Cluster, namespace: str, operator_namespace: str, key_dir: Path) -> Run:
    """Return what runs an operator for the namespace; its keywords are settings."""

    def start(**settings: object) -> AbstractContextManager[Operator]:
        chosen = {"key_dir": key_dir, **settings}
        directory = chosen.pop("key_dir")
        return running(cluster, namespace, operator_namespace, directory, **chosen)  # type: ignore[arg-type]  # a test passes what fits

    return start


@pytest.fixture
def at_rest(request: pytest.FixtureRequest, sets: Sets, operator_namespace: str) -> Row:
    """Return what checks the end of each operator of the test."""
    return Row.of(request, sets, operator_namespace)


@pytest.fixture
def run(plain_run: Run, at_rest: Row) -> Run:
    """Return what runs an operator as `plain_run` does, and checks its end as that of a row."""
    return lambda **settings: at_rest.around(plain_run(**settings))
