"""Fixtures of the control-plane tests."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from rso.kube.transport import Request, Response
from testbed.cluster import Cluster
from tests.support.fixtures import Run, key_dir, operator_namespace, sets
from tests.support.fixtures import run as plain_run
from tests.support.operators import Operator, settings_for
from tests.support.rows import Row
from tests.support.sets import Sets

__all__ = ["key_dir", "operator_namespace", "plain_run", "sets"]

Interfere = Callable[..., AbstractContextManager[Operator]]


@pytest.fixture
def at_rest(request: pytest.FixtureRequest, sets: Sets, operator_namespace: str) -> Row:
    """Return what checks the end of each operator of the test."""
    return Row.of(request, sets, operator_namespace)


@pytest.fixture
def run(plain_run: Run, at_rest: Row) -> Run:
    """Return what runs an operator for the namespace; its end is that of a row."""
    return lambda **settings: at_rest.around(plain_run(**settings))


@pytest.fixture
def interfere(
    cluster: Cluster, namespace: str, operator_namespace: str, key_dir: Path, at_rest: Row
) -> Interfere:
    """Return what runs an operator whose requests a test sees `before` or `after` the server."""

    @contextmanager
    def start(
        before: Callable[[Request], None] | None = None,
        after: Callable[[Request, Response], None] | None = None,
        **settings: object,
    ) -> Iterator[Operator]:
        chosen = settings_for(cluster, operator_namespace, key_dir, **settings)
        operator = Operator(cluster, chosen, namespace, before, after).start()
        try:
            yield operator
        finally:
            operator.stop()

    return lambda *hooks, **chosen: at_rest.around(start(*hooks, **chosen))
