"""Whose turn it is to be absent: one set at a time, with a pause that adapts.

The garbage collector of the controller manager is throttled: twice the client QPS, so 40 requests a
second by default, and it sends one for each Pod and revision and two for the set. Deleting faster
than it orphans would only make sets absent for longer, so people wait with their set in place.
"""

from collections.abc import Callable

from rso.core.world import Key
from rso.kube.clock import Clock

TARGET_SECONDS = 0.1  # the absence aimed at (design.md section 2)
# At its defaults the collector has its full burst (30 requests at 40 a second) back in 0.75 s.
LONGEST_PAUSE_SECONDS = 2.0
SHORTER_RATIO = 0.7  # of the pause after a target met; halving overshoots with 10 Pods a set
SHORTEST_PAUSE_SECONDS = 0.01  # a shorter one is none


class Turns:
    """Who may delete now. `wake(key, seconds)` is called for the next one who waits."""

    def __init__(self, clock: Clock, limit: int, wake: Callable[[Key, float], None]) -> None:
        self._clock = clock
        self._limit = limit
        self._wake = wake
        self._holders: set[Key] = set()
        self._waiting: dict[Key, None] = {}
        self._pause = 0.0
        self._next_at = float("-inf")

    def is_free(self, key: Key, absent: set[Key]) -> bool:
        """Return whether a set may be deleted; `absent` are the sets whose backup says so."""
        if key in self._holders or key in absent:
            return True
        others = self._holders | absent
        return len(others) < self._limit and self._clock.monotonic() >= self._next_at

    def wait(self, key: Key) -> None:
        """Remember that a set waits for its turn."""
        self._waiting[key] = None
        if not self._holders and self._clock.monotonic() < self._next_at:
            self._wake(key, self._next_at - self._clock.monotonic())

    def take(self, key: Key) -> None:
        """Begin a turn."""
        self._waiting.pop(key, None)
        self._holders.add(key)

    def leave(self, key: Key) -> None:
        """Forget a set that does not wait any more: whoever comes after it must not wait for it."""
        if key in self._waiting:
            del self._waiting[key]
            self.wake_next()

    def give(self, key: Key, absence_seconds: float | None) -> None:
        """End a turn; an absence, if there was one, sets the next pause."""
        self._holders.discard(key)
        if absence_seconds is not None:
            self._pause = next_pause(self._pause, absence_seconds)
            self._next_at = self._clock.monotonic() + self._pause
        self.wake_next()

    def wake_next(self) -> None:
        """Let the one who has waited longest look again."""
        for key in self._waiting:
            self._wake(key, max(self._next_at - self._clock.monotonic(), 0.0))
            return


def next_pause(pause_seconds: float, absence_seconds: float) -> float:
    """Return the pause before the next delete: longer by what the target was missed by, or shorter.

    Exactly that much, since a token bucket that lacked so many seconds' worth of requests gets
    them back in as many seconds. docs/decisions/0005 has what else was tried.
    """
    missed_by = absence_seconds - TARGET_SECONDS
    if missed_by > 0:
        return min(pause_seconds + missed_by, LONGEST_PAUSE_SECONDS)
    shorter = pause_seconds * SHORTER_RATIO
    return shorter if shorter >= SHORTEST_PAUSE_SECONDS else 0.0
