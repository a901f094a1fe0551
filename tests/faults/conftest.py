"""Fixtures of the fault cases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.cluster import Cluster
from tests.faults.batch import Batch
from tests.support.fixtures import key_dir
from tests.support.scene import Logs, kept_logs
from tests.support.unmeasured import unmeasured

__all__ = ["batch", "key_dir", "logs", "unmeasured"]


@pytest.fixture
def logs() -> Iterator[Logs]:
    """Yield every log line of the test's operators."""
    with kept_logs() as kept:
        yield kept


@pytest.fixture
def batch(cluster: Cluster, key_dir: Path, logs: Logs) -> Iterator[Batch]:
    """Yield what plays many cases side by side; their namespaces are deleted afterwards."""
    made = Batch(cluster, key_dir, logs)
    yield made
    made.close()
