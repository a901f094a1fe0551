"""The link between this machine and a bed.

A veth pair, ``testbedN``: 10.213.N.1 here, 10.213.N.2 in the bed. Making it takes the number N, and
it goes with the bed's network namespace. A bed has no default route: nothing leaves the machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from testbed.process import BedError, run, succeeds, wait_until

if TYPE_CHECKING:
    from testbed.bed import Bed

MAX_BEDS = 256
# Worse than the route of the link itself, so it holds only when the link is gone.
FALLBACK_METRIC = "4000"


def take_link(pid: int) -> int:
    """Join this network and that of process ``pid``; return the number taken.

    Raises: BedError, when all numbers are taken or links cannot be made.
    """
    for index in range(MAX_BEDS):
        link = f"testbed{index}"
        if Path("/sys/class/net", link).exists():
            continue
        peer = ("peer", "name", "eth0", "netns", str(pid))
        if succeeds("ip", "link", "add", link, "type", "veth", *peer):
            return index
        if not Path("/sys/class/net", link).exists():
            run("ip", "link", "add", link, "type", "veth", *peer)
            return index
    raise BedError(f"{MAX_BEDS} test beds are up; end some: python -m testbed down")


def connect(bed: Bed, pid: int) -> None:
    """Give both ends of the link their addresses."""
    inside = ("nsenter", "--net", "--target", str(pid))
    run("ip", "address", "add", f"{bed.host_address}/24", "dev", bed.name)
    run("ip", "link", "set", bed.name, "up")
    run(*inside, "ip", "address", "add", f"{bed.address}/24", "dev", "eth0")
    run(*inside, "ip", "link", "set", "eth0", "up")
    # A client of a bed that died is told so at once, and never asks the default gateway.
    run("ip", "route", "replace", *fallback_route(bed))


def disconnect(bed: Bed) -> None:
    """Remove what ``connect`` left here; the link itself must be going with its namespace."""
    wait_until(
        lambda: not Path("/sys/class/net", bed.name).exists(), 30, f"the end of link {bed.name}"
    )
    succeeds("ip", "route", "del", *fallback_route(bed))


def fallback_route(bed: Bed) -> tuple[str, ...]:
    return ("unreachable", bed.network, "metric", FALLBACK_METRIC)
