"""Every step that would be made for a set, with the guards asked in earnest; nothing is changed.

`plan` is repeated on a played cluster (core/fold.py). What it asks is asked of the real one, dry,
as long as the played steps leave the set in its place.
"""

import re
from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from rso.app.tools import Observer
from rso.core.actions import Ask, AskEviction, AskGrowth, AskProof, Blocked, Decision, Done, Wait
from rso.core.fold import folding
from rso.core.model import OwnAnnotations
from rso.core.world import Key, Refusal, World
from rso.kube.errors import Conflict, Forbidden, NotFound

ATTEMPTS = 3  # a set that changes while it is asked about is asked again
_RIGHTS = re.compile(r'User "[^"]*" cannot [a-z]+ resource')
_CLUSTER_WIDE = ("persistentvolumes", "storageclasses")


class Moment(msgspec.Struct, frozen=True):
    """A decision, the world it was made in, and the world with the answer if it was a question."""

    world: World
    decision: Decision
    answered: World | None = None


class Forecast(msgspec.Struct, frozen=True):
    """All moments up to the end; `end` is Done, Blocked, or a Wait that only people end."""

    moments: tuple[Moment, ...]

    @property
    def end(self) -> Decision:
        return self.moments[-1].decision


async def forecast(observer: Observer, key: Key, wishes: OwnAnnotations) -> Forecast:
    """Return what would happen to a set, as read, if its annotations were these.

    Raises: Forbidden, naming verb and resource, also where a dry run met missing rights; Conflict,
    when the set does not hold still.
    """
    reads_volumes = True
    for _ in range(ATTEMPTS):
        world = _imagined(observer, key, wishes, reads_volumes=reads_volumes)
        try:
            return await _unfold(observer, await _with_whole(observer, world))
        except Forbidden as error:
            if error.kind not in _CLUSTER_WIDE or not reads_volumes:
                raise
            reads_volumes = False
        except (Conflict, NotFound):
            await observer.view.read_set(key)
    raise Conflict(409, "Conflict", f"{key} changes faster than it can be asked about; try again")


def refusals(forecast: Forecast) -> Iterator[tuple[str, Refusal]]:
    """Yield (what was refused, the API server's own words)."""
    for moment in forecast.moments:
        if moment.answered is not None:
            yield from _refusals(moment.decision, moment.answered)


def _refusals(question: Decision, answered: World) -> Iterator[tuple[str, Refusal]]:
    answers = answered.answers
    if isinstance(question, AskGrowth):
        for name in question.sizes:
            answer = answers.growth.claims.get(name)
            if answer and answer.refusal:
                yield f"claim {name}", answer.refusal
    elif isinstance(question, AskEviction):
        refused = answers.evictions.get(question.uid)
        if refused:
            yield f"the eviction of Pod {question.pod}", refused
    elif isinstance(question, AskProof) and answers.proof:
        proof = answers.proof
        for refusal in (proof.deletion, proof.same_name, proof.probe):
            if isinstance(refusal, Refusal):
                yield f"StatefulSet {answered.key.name}", refusal


def _imagined(
    observer: Observer, key: Key, wishes: OwnAnnotations, *, reads_volumes: bool
) -> World:
    observer.gatherer.forget(key)
    world = observer.gatherer.world(key, has_turn=True)
    bounds = replace(world.bounds, reads_volumes=reads_volumes)
    world = replace(world, bounds=bounds, claims=observer.view.claims(key))
    statefulset = world.statefulset
    if statefulset is None:
        return world
    metadata = replace(statefulset.metadata, annotations=wishes)
    return replace(world, statefulset=replace(statefulset, metadata=metadata))


async def _with_whole(observer: Observer, world: World) -> World:
    """Return the world with the whole set in it, so that the played one is no other.

    Raises: Conflict, when it has changed since the view was read.
    """
    if world.statefulset is None:
        return world
    live = await observer.questions.live(world.key)
    if live.resource_version != world.statefulset.metadata.resource_version:
        raise Conflict(409, "Conflict", f"{world.key} has changed")
    return replace(world, answers=replace(world.answers, live=live))


async def _unfold(observer: Observer, world: World) -> Forecast:
    moments: list[Moment] = []
    played = folding(world)
    answer: World | None = None
    while True:
        try:
            world, decision = played.send(answer)
        except StopIteration:
            return Forecast(tuple(moments))
        answer = await _asked(observer, world, decision, moments)
        moments.append(Moment(world, decision, answer))


async def _asked(
    observer: Observer, world: World, decision: Decision, before: list[Moment]
) -> World | None:
    """Return the world with a real answer, while the real set is still the one meant."""
    uid = before[0].world.statefulset if before else world.statefulset
    is_same = world.statefulset and uid and world.statefulset.metadata.uid == uid.metadata.uid
    if not isinstance(decision, Ask) or not is_same:
        return None
    answered = await observer.gatherer.answer(world, decision)
    for _, refusal in _refusals(decision, answered):
        if _RIGHTS.search(refusal.message):
            raise Forbidden(refusal.code, refusal.reason, refusal.message)
    return answered


def outcome(end: Decision) -> tuple[str, str, str]:
    """Return (phase, reason, sentence) of the last decision."""
    if isinstance(end, Blocked):
        return "Blocked", end.reason, end.sentence
    if isinstance(end, Wait):
        return "Waiting", end.reason or "", end.sentence
    return ("Done" if isinstance(end, Done) else "Growing"), "", ""
