"""Waits until the caches show our own writes, so that no plan is made from an older world."""

from collections.abc import Callable

from rso.core.world import Key
from rso.kube.clock import Clock

PATIENCE_SECONDS = 5.0  # then look anyway: the write may have been undone by somebody else


class Expectations:
    """What was written for each set and is not yet seen."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[Key, list[tuple[Callable[[], bool], float]]] = {}

    def add(self, key: Key, is_seen: Callable[[], bool]) -> None:
        """Expect something of the caches."""
        deadline = self._clock.monotonic() + PATIENCE_SECONDS
        self._open.setdefault(key, []).append((is_seen, deadline))

    def remaining(self, key: Key) -> float:
        """Return the seconds for which a set must not be planned; 0 when all is seen."""
        now = self._clock.monotonic()
        left = [
            (is_seen, deadline)
            for is_seen, deadline in self._open.pop(key, [])
            if deadline > now and not is_seen()
        ]
        if left:
            self._open[key] = left
        return max((deadline - now for _, deadline in left), default=0.0)
