"""One claim template: whether its claims ask for a step, and which limit forbids it.

The order of the rules is the order of this file.
"""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from rso.core import names
from rso.core.fullness import checks_passed, full_ratio, is_reached, is_urgent, needed_bytes
from rso.core.lowering import Lowered, infeasible, latest, over_limit
from rso.core.model import OwnAnnotations, StatefulSet
from rso.core.names import Hold
from rso.core.policy import Bounds, Target, bound_bytes, has_own_annotation
from rso.core.quantity import InvalidQuantity, Size, format_bytes, size
from rso.core.scaling import Scaling
from rso.core.settling import is_growing
from rso.core.steps import limited, steps_of, target_bytes
from rso.core.trust import Reading, Watched, newest, row


class Limits(msgspec.Struct, frozen=True):
    """What the autoscaler's settings say.

    A sample older than `max_age_seconds` is not used, nor one that much older than the next: so
    it must be several times the interval between two looks.
    """

    bounds: Bounds
    defaults: Scaling = Scaling()
    max_age_seconds: float = 300.0


class Change(StrEnum):
    """What becomes of the autoscaler's wish for a template."""

    KEEP = "keep"
    RAISE = "raise"
    LOWER = "lower"
    WITHDRAW = "withdraw"


class Judged(msgspec.Struct, frozen=True):
    """One claim: why it asks for no step (None: it does), and what is believed, newest first.

    Below its threshold only the newest sample is looked at.
    """

    watched: Watched
    hold: Hold | None
    readings: tuple[Reading, ...] = ()

    @property
    def name(self) -> str:
        return self.watched.tracked.name


class Outcome(msgspec.Struct, frozen=True):
    """What becomes of one claim template.

    `hold` is None only with a step. `size` is the new wish as text, empty where none is written.
    `sentence` is for an Event, empty for what is as usual. `claims` are those that Pods use.
    """

    index: int
    name: str
    hold: Hold | None
    change: Change = Change.KEEP
    size: str = ""
    sentence: str = ""
    claims: tuple[Judged, ...] = ()


class Template:
    """One claim template with its claims."""

    def __init__(
        self,
        statefulset: StatefulSet,
        target: Target,
        watched: list[Watched],
        scaling: Scaling,
        limits: Limits,
        now: datetime,
    ) -> None:
        annotations = statefulset.metadata.annotations
        self.spec = statefulset.spec.volume_claim_templates[target.index].spec
        self.target = target
        self.watched = watched
        self.scaling = scaling
        self.now = now
        self.noted = annotations.get(f"{names.AUTO_STEPS}{target.index}", "")
        self.steps = steps_of(self.noted, now)
        self.wish = wish_of(annotations, target.index)
        self.has_wishes = has_own_annotation(statefulset)
        self.largest = max((each.request_bytes for each in watched), default=0)
        self._max_age = timedelta(seconds=limits.max_age_seconds)
        bound = bound_bytes(annotations, limits.bounds)
        base = max(target.current.bytes, self.largest)
        self.most = min(bound, base * limits.bounds.max_factor)

    def outcome(self) -> Outcome:
        """Return what becomes of the template."""
        if self.spec.volume_mode == "Block":
            return self._held(Hold.BLOCK_MODE)
        lowered = self._lowered()
        if lowered:
            return self._lower(lowered)
        if not self.watched:
            return self._held(Hold.NO_CLAIMS)
        judged = tuple(self._judged(each) for each in self.watched if _is_in_use(each))
        if not judged:
            return self._held(Hold.NO_PODS)
        return self._judge(judged)

    def _lowered(self) -> Lowered | None:
        if self.wish is None:
            return None
        return over_limit(self.wish, self.target, self.largest, self.most) or infeasible(
            self.wish, self.target, self.watched, self.most
        )

    def _lower(self, lowered: Lowered) -> Outcome:
        change = Change.LOWER if lowered.bytes else Change.WITHDRAW
        text = format_bytes(lowered.bytes) if lowered.bytes else ""
        return Outcome(
            self.target.index, self.target.name, lowered.hold, change, text, lowered.sentence
        )

    def _judged(self, each: Watched) -> Judged:
        """Return whether a claim asks for a step."""
        if each.tracked.is_infeasible:
            return Judged(each, Hold.INFEASIBLE)
        if self._is_growing(each):
            return Judged(each, Hold.RESIZE_IN_FLIGHT)
        last = newest(each, self.now, self._max_age)
        if isinstance(last, Hold):
            return Judged(each, last)
        if not is_reached(last, self.scaling):
            return Judged(each, Hold.BELOW_THRESHOLD, (last,))
        readings = row(each, last, self.now, self._max_age)
        is_confirmed = checks_passed(readings, self.scaling) >= self.scaling.checks
        is_due = is_confirmed or is_urgent(readings)
        return Judged(each, None if is_due else Hold.ONE_CHECK, readings)

    def _is_growing(self, each: Watched) -> bool:
        """Return whether a claim grows, or is about to.

        On a set that only a label switches on the resizer does nothing yet: there the template's
        size is none that somebody waits for.
        """
        wished = self.wish.bytes if self.wish else 0
        wanted = max(self.target.claim.bytes if self.has_wishes else 0, wished)
        is_asked = wanted > max(each.request_bytes, each.size_bytes)
        return is_asked or is_growing(each.tracked.claim)

    def _judge(self, judged: tuple[Judged, ...]) -> Outcome:
        holds = {each.hold for each in judged}
        for hold in (Hold.INFEASIBLE, Hold.RESIZE_IN_FLIGHT):
            if hold in holds:
                return self._held(hold, judged)
        due = [each for each in judged if each.hold is None]
        if not due:
            return self._held(next(each for each in Hold if each in holds), judged)
        return self._step(judged, due)

    def _step(self, judged: tuple[Judged, ...], due: list[Judged]) -> Outcome:
        """Return the step for the claims that ask for one, or which limit forbids it."""
        fullest = max(due, key=lambda each: full_ratio(each.readings[0]))
        filled = f"claim {fullest.name} is {int(full_ratio(fullest.readings[0]) * 100)} % full"
        start = self._start(judged)
        goal = target_bytes(start, self._needed(judged), self.scaling)
        reached = limited(goal, start, self.most, self.scaling)
        if reached <= start:
            sentence = (
                f"{filled}, and {self.target.name} has {format_bytes(start)} of at most "
                f"{format_bytes(self.most)}; raise max-size, or clean up"
            )
            return replace(self._held(Hold.AT_LIMIT, judged), sentence=sentence)
        if self._is_cooling() and not any(is_urgent(each.readings) for each in due):
            return self._held(Hold.COOLDOWN, judged)
        if len(self.steps) >= self.scaling.steps_per_day:
            sentence = f"{filled}, and {len(self.steps)} steps were taken in 24 hours"
            return replace(self._held(Hold.STEPS_PER_DAY, judged), sentence=sentence)
        text = format_bytes(reached)
        sentence = f"{filled}: {self.target.name} grows from {format_bytes(start)} to {text}"
        target = self.target
        return Outcome(target.index, target.name, None, Change.RAISE, text, sentence, judged)

    def _start(self, judged: tuple[Judged, ...]) -> int:
        """Return the largest size that is there or asked for: a step must be above all of them.

        Above the volumes and file systems, too: drivers round up, and a request between a claim's
        capacity and its volume's size never ends (V40).
        """
        seen = (each.readings[0].capacity_bytes for each in judged if each.readings)
        sizes = (max(each.request_bytes, each.size_bytes) for each in self.watched)
        return max(self.target.claim.bytes, *sizes, *seen)

    def _needed(self, judged: tuple[Judged, ...]) -> int:
        """Return the size that helps every claim whose usage is known."""
        needs = (
            needed_bytes(each.readings[0], each.watched.size_bytes, self.scaling)
            for each in judged
            if each.readings
        )
        return max(needs)

    def _is_cooling(self) -> bool:
        grown = [each.grown_at for each in self.watched if each.grown_at]
        last = latest([*grown, *self.steps], self.now)
        return last is not None and self.now - last < timedelta(
            seconds=self.scaling.cooldown_seconds
        )

    def _held(self, hold: Hold, judged: tuple[Judged, ...] = ()) -> Outcome:
        return Outcome(self.target.index, self.target.name, hold, claims=judged)


def _is_in_use(each: Watched) -> bool:
    """Return whether a claim can have usage: bound, and a Pod of the set has its ordinal."""
    return each.tracked.has_pod and each.tracked.is_bound


def wish_of(annotations: OwnAnnotations, index: int) -> Size | None:
    """Return the wish that stands; None when there is none or nobody can read it."""
    try:
        return size(annotations.get(f"{names.AUTO_WISH}{index}", ""))
    except InvalidQuantity:
        return None
