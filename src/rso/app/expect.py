"""Waits until the caches show our own writes, so that no plan is made from an older world."""

from collections.abc import Callable

from rso.app.view import View
from rso.core.world import Backup, Key, reaches
from rso.kube.clock import Clock

PATIENCE_SECONDS = 5.0  # then look anyway: the write may have been undone by somebody else


class Expectations:
    """What was written for each set and is not yet seen."""

    def __init__(self, clock: Clock, view: View) -> None:
        self._clock = clock
        self._view = view
        self._open: dict[Key, list[tuple[Callable[[], bool], float]]] = {}

    def expect_set(self, key: Key, version: str) -> None:
        """Expect a version of the set, or what came after it."""

        def is_seen() -> bool:
            # A set of another uid may be the one before: the versions of a kind are in one order.
            found = self._view.statefulset(key)
            return found is not None and reaches(found.metadata.resource_version, version)

        self._add(key, is_seen)

    def expect_claim(self, key: Key, name: str, version: str) -> None:
        """Expect a version of a claim, or what came after it, or no such claim."""

        def is_seen() -> bool:
            found = self._view.claim(key.namespace, name)
            return found is None or reaches(found.metadata.resource_version, version)

        self._add(key, is_seen)

    def expect_backup(self, key: Key, name: str, version: str) -> None:
        """Expect a version of a backup, or what came after it."""

        def is_seen() -> bool:
            found = self._view.backup(name)
            return found is not None and reaches(found.resource_version, version)

        self._add(key, is_seen)

    def expect_no_backup(self, key: Key, backup: Backup) -> None:
        """Expect that this backup is gone."""

        def is_seen() -> bool:
            found = self._view.backup(backup.name)
            return found is None or found.uid != backup.uid

        self._add(key, is_seen)

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

    def _add(self, key: Key, is_seen: Callable[[], bool]) -> None:
        deadline = self._clock.monotonic() + PATIENCE_SECONDS
        self._open.setdefault(key, []).append((is_seen, deadline))
