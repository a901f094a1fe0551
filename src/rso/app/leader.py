"""Who runs the resizer, as its Lease says."""

from datetime import timedelta
from typing import NamedTuple

from rso.core.names import APP
from rso.core.times import parse_time
from rso.kube.client import Client
from rso.kube.clock import Clock
from rso.kube.errors import Forbidden, NotFound, printable
from rso.kube.lease import LEASES

LEASE = f"{APP}-resizer"
# An operator renews every two seconds; the rest is for clocks that differ.
FRESH = timedelta(seconds=60)


class Leader(NamedTuple):
    """The Lease's record; `renewed` differs after each renewal, `is_fresh` trusts the clocks."""

    holder: str
    renewed: str
    is_fresh: bool


async def leader(client: Client, clock: Clock, namespace: str) -> Leader | None:
    """Return who holds the resizer's Lease; None when nobody does.

    Raises: Forbidden.
    """
    try:
        record = await client.get(LEASES, namespace, LEASE)
    except NotFound:
        return None
    spec = record.get("spec") or {}
    holder, renewed = (str(spec.get(each) or "") for each in ("holderIdentity", "renewTime"))
    at = parse_time(renewed)
    is_fresh = at is not None and abs(clock.now() - at) < FRESH
    return Leader(printable(holder), renewed, is_fresh) if holder else None


async def seems_stopped(client: Client, clock: Clock, namespace: str) -> bool:
    """Return whether no resizer seems to run; False where nobody may look."""
    try:
        found = await leader(client, clock, namespace)
    except Forbidden:
        return False
    return found is None or not found.is_fresh
