"""Keeps some workers free: one slow namespace never holds all of them."""

from collections import Counter
from collections.abc import Awaitable, Callable

from rso.core.world import Key


class Lanes:
    """Lets at most three quarters of the workers into one namespace; others of it are parked.

    `add(key)` puts a parked set back into the queue when a worker leaves its namespace.
    """

    def __init__(self, workers: int, add: Callable[[Key], None]) -> None:
        self._limit = max(workers * 3 // 4, 1)
        self._add = add
        self._busy: Counter[str] = Counter()
        self._parked: dict[str, dict[Key, None]] = {}

    async def run(
        self, key: Key, reconcile: Callable[[Key], Awaitable[float | None]]
    ) -> float | None:
        """Reconcile a set, or park it; return the seconds until the next look."""
        namespace = key.namespace
        if self._busy[namespace] >= self._limit:
            self._parked.setdefault(namespace, {})[key] = None
            return None
        self._busy[namespace] += 1
        try:
            return await reconcile(key)
        finally:
            self._leave(namespace)

    def _leave(self, namespace: str) -> None:
        self._busy[namespace] -= 1
        if not self._busy[namespace]:
            del self._busy[namespace]
        parked = self._parked.get(namespace)
        if parked:
            key = next(iter(parked))
            del parked[key]
            if not parked:
                del self._parked[namespace]
            self._add(key)
