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


def take_link(pid: int) -> tuple[int, int]:
    """Join this network and that of process ``pid``; return the number taken and the link's id.

    Raises: BedError, when all numbers are taken or links cannot be made.
    """
    for index in range(MAX_BEDS):
        link = f"testbed{index}"
        if link_id(link) is None and added(link, pid):
            return index, link_id(link) or 0
    raise BedError(f"{MAX_BEDS} test beds are up; end some: python -m testbed down")


def added(link: str, pid: int) -> bool:
    """Tell whether the link could be made; False when another bed was first to take its name."""
    command = ("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    if not succeeds(*command):
        if link_id(link) is not None:
            return False
        run(*command)
    return True


def link_id(link: str) -> int | None:
    """Return the kernel's number of a link, None when there is none of that name."""
    try:
        return int(Path("/sys/class/net", link, "ifindex").read_text())
    except OSError:
        return None


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
    """Remove what ``connect`` left here; the link itself must be going with its namespace.

    Another bed may have taken the number by now: its link and route stay.
    """
    wait_until(lambda: link_id(bed.name) != bed.link_id, 30, f"the end of link {bed.name}")
    if link_id(bed.name) is None:
        succeeds("ip", "route", "del", *fallback_route(bed))


def fallback_route(bed: Bed) -> tuple[str, ...]:
    return ("unreachable", bed.network, "metric", FALLBACK_METRIC)
