"""What the autoscaler remembers from look to look: the latest samples, and since when claims rest.

In memory only. After a restart the checks begin anew, which costs a look and no rule.
"""

from collections import deque
from collections.abc import Collection
from datetime import datetime, timedelta

from rso.core.autoscale import Usage
from rso.core.model import Claim
from rso.core.settling import Seen, seen
from rso.core.usage import Sample
from rso.kube.clock import Clock

# NTP slews clocks by less between two looks; a step, or a machine that slept, makes more.
JUMP_SECONDS = 30.0

ClaimKey = tuple[str, str]  # namespace and name


class History:
    """The memory of one autoscaler, by claim."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._claims: dict[ClaimKey, _Remembered] = {}
        self._last: tuple[datetime, float] | None = None

    def begin(self) -> timedelta | None:
        """Begin a look; return by how much the wall clock has jumped since the last, if it has.

        Then everything is forgotten: times from before and after cannot be compared.
        """
        now, monotonic = self._clock.now(), self._clock.monotonic()
        last, self._last = self._last, (now, monotonic)
        if last is None:
            return None
        jump = now - last[0] - timedelta(seconds=monotonic - last[1])
        if abs(jump) <= timedelta(seconds=JUMP_SECONDS):
            return None
        self._claims.clear()
        return jump

    def take(self, claim: Claim, sample: Sample, kept: int) -> None:
        """Remember a sample that is not the last one once more, and so many in all.

        Not only newer ones: of a node whose clock was ahead the true ones are older.
        """
        samples = self._of(claim).samples
        if not samples or samples[-1].taken_at != sample.taken_at:
            samples.append(sample)
        while len(samples) > kept:
            samples.popleft()

    def usage(self, claim: Claim, *, is_mounted: bool) -> Usage:
        """Return what is known of a claim that is looked at now."""
        remembered = self._of(claim)
        state = self._look(remembered, claim)
        quiet_since = None if state.is_growing else state.since
        samples = tuple(remembered.samples)
        return Usage(claim, samples, is_mounted=is_mounted, quiet_since=quiet_since)

    def changed(self, claim: Claim) -> None:
        """Note whether a claim that is remembered grows: a resize may be shorter than a pause."""
        key = (claim.metadata.namespace, claim.metadata.name)
        if key in self._claims:
            self._look(self._of(claim), claim)

    def keep_only(self, claims: Collection[ClaimKey]) -> None:
        """Forget all other claims."""
        self._claims = {key: each for key, each in self._claims.items() if key in claims}

    def _look(self, remembered: "_Remembered", claim: Claim) -> Seen:
        state = remembered.seen = seen(remembered.seen, claim, self._clock.now())
        return state

    def _of(self, claim: Claim) -> "_Remembered":
        """Return what is remembered of a claim; of another claim of its name that is nothing."""
        key = (claim.metadata.namespace, claim.metadata.name)
        found = self._claims.get(key)
        if found is None or found.uid != claim.metadata.uid:
            found = self._claims[key] = _Remembered(claim.metadata.uid)
        return found


class _Remembered:
    """What is remembered of one claim."""

    __slots__ = ("samples", "seen", "uid")

    def __init__(self, uid: str) -> None:
        self.uid = uid
        self.samples: deque[Sample] = deque()
        self.seen: Seen | None = None
