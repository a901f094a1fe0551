"""How long a refused or waiting set is left alone: longer each time, at most five minutes."""

from rso.core.world import Key
from rso.kube.clock import Clock

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 300.0  # design.md, promise 5


class Patience:
    """The pauses between questions about sets that do not go on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pauses: dict[Key, tuple[float, float]] = {}  # pause, and when it ends

    def begin(self, key: Key, longest_seconds: float = LONGEST_SECONDS) -> float:
        """Begin the next pause, twice as long as the last, and return its seconds."""
        last, _ = self._pauses.get(key, (FIRST_SECONDS / 2, 0.0))
        pause = min(last * 2, longest_seconds)
        self._pauses[key] = (pause, self._clock.monotonic() + pause)
        return pause

    def remaining(self, key: Key) -> float:
        """Return the seconds that are left of the pause; 0 when there is none."""
        _, until = self._pauses.get(key, (0.0, 0.0))
        return max(until - self._clock.monotonic(), 0.0)

    def end(self, key: Key) -> None:
        """Forget the pauses: something has changed."""
        self._pauses.pop(key, None)
