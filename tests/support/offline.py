"""Claims of which only the node's part is left, and the time that a node may take for it."""

from datetime import timedelta

from rso.core.storage import ONLINE_SECONDS
from tests.support.clocks import ShiftedClock
from tests.support.sets import Sets, template_sizes

LONG = timedelta(seconds=ONLINE_SECONDS + 60)
CONSENT = {"resize-statefulset-operator/offline": "evict"}


def grow_volumes(sets: Sets, size: str) -> None:
    """Wish for more; return when the template has it and every claim waits for its node."""
    sets.annotate("db", resize_0=size)
    names = set(sets.claims())
    sets.wait(lambda: _pending(sets) == names, "claims that wait for their node", 60)
    sets.wait(lambda: _template_size(sets) == size, "the template", 60)


def pass_time(sets: Sets, clock: ShiftedClock) -> None:
    """Let an online resize have had its time, and have the operator look."""
    clock.offset += LONG
    sets.annotate("db", checks="2")


def _pending(sets: Sets) -> set[str]:
    return {
        name
        for name, claim in sets.claims().items()
        for condition in claim["status"].get("conditions", [])
        if condition["type"] == "FileSystemResizePending"
    }


def _template_size(sets: Sets) -> str:
    """Return the size in the template; empty while there is no set."""
    found = sets.find("db")
    return template_sizes(found)["data"] if found else ""
