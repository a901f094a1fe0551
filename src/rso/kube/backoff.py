"""Growing delays between attempts."""

import random

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0
JITTER_RATIO = 0.5  # spreads the clients of one server that failed together


class Backoff:
    """Delays that double from 0.5 to 30 seconds, each up to half longer by chance."""

    def __init__(self, first: float = FIRST_SECONDS, longest: float = LONGEST_SECONDS) -> None:
        self._first = first
        self._longest = longest
        self._nominal = first

    def next(self) -> float:
        """Return how many seconds to wait before the next attempt."""
        jitter = 1 + JITTER_RATIO * random.random()  # noqa: S311  spreads load, guards no secret
        delay = min(self._nominal * jitter, self._longest)
        self._nominal = min(self._nominal * 2, self._longest)
        return delay

    def reset(self) -> None:
        """Start from the first delay again."""
        self._nominal = self._first
