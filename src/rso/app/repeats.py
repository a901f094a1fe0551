"""How often the same step of a set is tried: a few times at once, then ever more seldom.

A step that has done its work is not decided again. One that is has been refused, undone by
somebody, or is not shown by the caches; tried at full speed it would only burden the API server.
"""

from dataclasses import dataclass, field

import msgspec

from rso.core.actions import Step
from rso.core.world import Key
from rso.kube.clock import Clock

FREE_TIMES = 5
FIRST_SECONDS = 0.2
LONGEST_SECONDS = 30.0


@dataclass(slots=True)
class _Tries:
    counts: dict[bytes, int] = field(default_factory=dict)
    due: dict[bytes, float] = field(default_factory=dict)


class Repeats:
    """The steps that were tried for each set since it was last done."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tries: dict[Key, _Tries] = {}

    def remaining(self, key: Key, step: Step) -> float:
        """Return the seconds until this step may be tried; 0 when it may be now."""
        tries = self._tries.get(key)
        due = tries.due.get(_signature(step), 0.0) if tries else 0.0
        return max(due - self._clock.monotonic(), 0.0)

    def add(self, key: Key, step: Step, longest_seconds: float = LONGEST_SECONDS) -> int:
        """Count a try and return how many there were; the next one may be due only later."""
        tries = self._tries.setdefault(key, _Tries())
        signature = _signature(step)
        count = tries.counts.get(signature, 0) + 1
        tries.counts[signature] = count
        if count >= FREE_TIMES:
            pause = min(FIRST_SECONDS * 2 ** min(count - FREE_TIMES, 10), longest_seconds)
            tries.due[signature] = self._clock.monotonic() + pause
        return count

    def end(self, key: Key) -> None:
        """Forget the tries of a set: it is done or gone."""
        self._tries.pop(key, None)


def _signature(step: Step) -> bytes:
    """Return what makes two steps the same: their kind and all that they say."""
    return msgspec.json.encode(step)
