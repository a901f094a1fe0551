"""Fixtures of the control-plane tests."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from rso.kube.clock import Clock
from rso.kube.transport import Request, Response
from testbed.cluster import Cluster
from tests.support.fixtures import at_rest, key_dir, operator_namespace, plain_run, run, sets
from tests.support.operators import Operator, settings_for
from tests.support.rows import Row

__all__ = ["at_rest", "key_dir", "operator_namespace", "plain_run", "run", "sets"]

Interfere = Callable[..., AbstractContextManager[Operator]]


@pytest.fixture
def interfere(
    cluster: Cluster, namespace: str, operator_namespace: str, key_dir: Path, at_rest: Row
) -> Interfere:
    """Return what runs an operator whose requests a test sees `before` or `after` the server."""

    @contextmanager
    def start(
        before: Callable[[Request], None] | None = None,
        after: Callable[[Request, Response], None] | None = None,
        clock: Clock | None = None,
        **settings: object,
    ) -> Iterator[Operator]:
        chosen = settings_for(cluster, operator_namespace, key_dir, **settings)
        operator = Operator(cluster, chosen, namespace, before, after)
        operator.clock = clock or operator.clock
        operator.start()
        try:
            yield operator
        finally:
            operator.stop()

    return lambda *hooks, **chosen: at_rest.around(start(*hooks, **chosen))
