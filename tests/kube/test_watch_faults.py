"""The cache is true after every fault of a watch: S1 to S8."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import pytest

from rso.kube.transport import Request, Response, Transport
from tests.kube.clock import FakeClock, until
from tests.kube.server import expired, failed
from tests.kube.watched import Watched, watching


async def test_s1_clean_close(watched: Watched) -> None:
    """S1: after a watch that ended, later additions are seen."""
    watched.server.end_watches()

    await watched.converges()


async def test_s2_reset(watched: Watched) -> None:
    """S2: after a TCP reset, later additions are seen."""
    watched.server.reset_watches()

    await watched.converges()


async def test_s3_expired_event(watched: Watched) -> None:
    """S3: a deletion in the gap before a 410 event is found and reported."""
    watched.server.silent = True
    watched.server.remove("a")
    watched.server.forget()
    watched.server.end_watches(expired())
    await until(lambda: len(watched.server.requests("list")) == 2, watched.clock)
    watched.server.silent = False
    await watched.converges()

    assert ("uid-of-a", None) in watched.changes


async def test_s4_error_event(watched: Watched) -> None:
    """S4: an ERROR event that is no 410 continues from the same version, without a list."""
    watched.server.end_watches(failed())
    await watched.converges()

    assert len(watched.server.requests("list")) == 1


async def test_s5_server_away(watched: Watched) -> None:
    """S5: a deletion while the server was away for three seconds is found."""
    watched.server.is_away = True
    watched.server.reset_watches()
    watched.server.remove("b")
    watched.server.forget()
    await until(lambda: watched.clock.monotonic() > 3, watched.clock)
    watched.server.is_away = False
    await watched.converges()

    assert ("uid-of-b", None) in watched.changes


@pytest.mark.parametrize("code", [pytest.param(410, id="S6"), pytest.param(500, id="S7")])
async def test_refused_watches(watched: Watched, code: int) -> None:
    """S6, S7: a server that refuses watches gets at most two requests a second."""
    first = len(watched.server.seen)
    watched.server.watch_status = code
    watched.server.end_watches()
    await until(lambda: watched.clock.monotonic() > 10, watched.clock)
    rate = watched.rate(first)
    watched.server.watch_status = 200
    await watched.converges()

    assert rate <= 2


async def test_s7_lists_too(watched: Watched) -> None:
    """S7: a server that fails lists and watches gets at most two requests a second."""
    first = len(watched.server.seen)
    watched.server.watch_status = 410
    watched.server.list_status = 500
    watched.server.end_watches()
    await until(lambda: watched.clock.monotonic() > 20, watched.clock)
    rate = watched.rate(first)
    watched.server.watch_status = watched.server.list_status = 200
    await watched.converges()

    assert rate <= 2


async def test_s8_closed_at_once(watched: Watched) -> None:
    """S8: a server that closes each watch at once gets at most two requests a second."""
    first = len(watched.server.seen)
    watched.server.close_at_once = True
    watched.server.end_watches()
    await until(lambda: watched.clock.monotonic() > 10, watched.clock)
    rate = watched.rate(first)
    watched.server.close_at_once = False
    await watched.converges()

    assert rate <= 2


async def test_silent_connection_is_noticed() -> None:
    """A watch on which nothing comes is given up, and what was missed is found."""
    watched = Watched()
    watched.server.put("a")
    async with watching(watched, Impatient):
        watched.server.silent = True
        watched.server.put("b")
        await until(lambda: len(watched.server.requests("watch")) > 1, watched.clock)
        watched.server.silent = False
        await watched.converges()


async def test_delays_start_again(watched: Watched) -> None:
    """Once an event has come, the next failure is followed by the shortest delay again."""
    watched.server.watch_status = 500
    watched.server.end_watches()
    await until(lambda: watched.clock.monotonic() > 20, watched.clock)
    watched.server.watch_status = 200
    await watched.converges()
    ended, count = watched.clock.monotonic(), len(watched.server.seen)
    watched.server.end_watches()
    await until(lambda: len(watched.server.seen) > count, watched.clock)

    assert watched.server.seen[-1].at - ended <= 0.75


async def test_slow_lists_are_no_long_watches() -> None:
    """A server whose lists take long and whose watches fail is not asked again at once."""
    watched = Watched()
    watched.server.watch_status = 410
    async with watching(watched, lambda below: SlowLists(below, watched.clock)):
        await until(lambda: len(watched.server.requests("list")) == 4, watched.clock)
        waited = watched.clock.monotonic() - 4 * SlowLists.SECONDS

    assert waited >= 0.5 + 1 + 2


class SlowLists:
    """Lets time pass with each list."""

    SECONDS = 6.0

    def __init__(self, below: Transport, clock: FakeClock) -> None:
        self._below = below
        self._clock = clock
        self.stream = below.stream
        self.close = below.close

    async def send(self, request: Request) -> Response:
        self._clock.seconds += self.SECONDS
        return await self._below.send(request)


class Impatient:
    """Waits for a silent watch only 50 ms."""

    def __init__(self, below: Transport) -> None:
        self._below = below

    async def send(self, request: Request) -> Response:
        return await self._below.send(request)

    def stream(self, request: Request) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        return self._below.stream(replace(request, timeout_seconds=0.05))

    async def close(self) -> None:
        await self._below.close()
