"""The eight faults of a watch: requests a second, and whether the cache is true afterwards.

A scripted server on loopback plays the API server; time is real.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.machine import ran_on, start
from rso.kube.clock import SystemClock
from tests.kube.clock import until
from tests.kube.server import ApiServer, expired, failed
from tests.kube.watched import Watched, watching

FAULT_SECONDS = 12.0
AWAY_SECONDS = 3.0
GOALS = {"requests_a_second": 2.0}


def measure(_state: Path | None) -> list[dict[str, Any]]:
    """Return one result with the rate of each fault."""
    begun = start()
    rates = asyncio.run(_rates())
    return [
        {
            "figure": "watch-faults",
            "unit": "requests a second",
            "options": {"seconds": FAULT_SECONDS},
            "values": rates,
            "goal": GOALS,
            "is_met": max(rates.values()) <= GOALS["requests_a_second"],
            "ran_on": ran_on(begun, kubernetes=None),
        }
    ]


async def _rates() -> dict[str, float]:
    """Return {fault: requests a second}; each fault has a server and an informer of its own."""
    rates = await asyncio.gather(*(_rate(fault) for fault in FAULTS.values()))
    return dict(zip(FAULTS, rates, strict=True))


async def _rate(fault: Callable[[ApiServer], None]) -> float:
    """Return the requests a second while a fault lasts.

    Raises: TimeoutError, when the cache does not become true after it.
    """
    watched = RealTime()
    for name in ("a", "b", "c"):
        watched.server.put(name)
    async with watching(watched):
        first = len(watched.server.seen)
        fault(watched.server)
        await asyncio.sleep(AWAY_SECONDS)
        watched.server.is_away = False
        await asyncio.sleep(FAULT_SECONDS - AWAY_SECONDS)
        rate = (len(watched.server.seen) - first) / FAULT_SECONDS
        _heal(watched.server)
        watched.server.put("later")
        for _ in range(4):  # each waits ten seconds; the longest pause of the informer is thirty
            try:
                await until(watched.is_true)
            except TimeoutError:
                continue
            return round(rate, 2)
    raise TimeoutError("the cache did not become true")


class RealClock(SystemClock):
    """The machine's clock where the tests' own is expected."""

    def jump(self) -> None:
        """Do nothing: real time passes by itself."""


class RealTime(Watched):
    """A watched server whose clock is the machine's."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = RealClock()  # type: ignore[assignment]  # what a test's clock can, but wait
        self.server = ApiServer(self.clock.monotonic)


def _heal(server: ApiServer) -> None:
    server.watch_status = server.list_status = 200
    server.close_at_once = server.silent = False


def _expired_event(server: ApiServer) -> None:
    server.silent = True
    server.remove("a")
    server.forget()
    server.end_watches(expired())
    server.silent = False


def _away(server: ApiServer) -> None:
    server.is_away = True
    server.reset_watches()
    server.remove("b")
    server.forget()


def _refusing(code: int) -> Callable[[ApiServer], None]:
    def fault(server: ApiServer) -> None:
        server.watch_status = code
        server.end_watches()

    return fault


def _closing(server: ApiServer) -> None:
    server.close_at_once = True
    server.end_watches()


FAULTS: dict[str, Callable[[ApiServer], None]] = {
    "S1 clean close": lambda server: server.end_watches(),
    "S2 TCP reset": lambda server: server.reset_watches(),
    "S3 410 event, a deletion in the gap": _expired_event,
    "S4 ERROR event, code 500": lambda server: server.end_watches(failed()),
    "S5 server away for 3 s": _away,
    "S6 HTTP 410 on the watch": _refusing(410),
    "S7 HTTP 500 on the watch": _refusing(500),
    "S8 each watch closed at once": _closing,
}
