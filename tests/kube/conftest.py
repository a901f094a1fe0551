"""Fixtures of the layer's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rso.kube.queue import WorkQueue
from tests.kube.certificates import Authority
from tests.kube.clock import FakeClock
from tests.kube.identified import Server
from tests.kube.watched import Watched, watching


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    """Return three things that are watched."""
    watched = Watched()
    for name in ("a", "b", "c"):
        watched.server.put(name)
    async with watching(watched):
        yield watched


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock at zero."""
    return FakeClock()


@pytest.fixture
def queue(clock: FakeClock) -> WorkQueue[str]:
    """Return an empty queue."""
    return WorkQueue(clock)


@pytest.fixture
async def tls_server(tmp_path: Path) -> AsyncIterator[Server]:
    """Return a TLS server on loopback."""
    server = Server(Authority(tmp_path))
    async with server.serve():
        yield server
