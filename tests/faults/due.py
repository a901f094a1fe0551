"""Which writes come in every run, so that a test may wait for each of them."""

from collections.abc import Iterable

from tests.support.faults import Point

# What the controllers' pace decides: a wait that is told, a reference that they have not removed.
_DUE_STATUSES = ("status Growing", "status Done")


def due(points: Iterable[Point]) -> list[Point]:
    """Return the points of a run that come in every run, in their order."""
    return [each for each in points if each.number == 1 and _is_due(each.write)]


def _is_due(write: str) -> bool:
    verb = write.split(maxsplit=1)[0]
    return write in _DUE_STATUSES if verb == "status" else verb != "unreference"
