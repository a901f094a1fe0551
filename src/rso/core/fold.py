"""Repeats `plan` on a played cluster: everything that would happen to a set, in order.

Each decision is played (`effects`, `played`) and the next one is made from what then is. A fold
ends with Done, Blocked, or a Wait that no quiet cluster ends: a person has to act.
"""

from collections.abc import Callable, Generator

from msgspec.structs import replace

from rso.core import effects, played, successor
from rso.core.actions import (
    Ask,
    AskBackup,
    AskEviction,
    AskGrowth,
    AskLive,
    AskPods,
    AskProof,
    AskWitness,
    Blocked,
    Decision,
    Done,
    Recreate,
    Replace,
    Step,
    Wait,
)
from rso.core.model import Claim, Metadata, StatefulSet, StorageClass
from rso.core.plan import plan
from rso.core.quantity import read_bytes
from rso.core.world import (
    ClaimAnswer,
    Growth,
    Live,
    Pods,
    Proof,
    Saved,
    Unreadable,
    World,
)

LIMIT = 5000  # decisions; a set of 1,000 claims needs about 2,000
_SEALED_BYTES = 4096  # of a played backup: an ordinary set


def apply(world: World, decision: Decision) -> World:
    """Return the world after a quiet, obedient cluster has followed a decision."""
    if isinstance(decision, Step):
        return effects.done(world, decision)
    if isinstance(decision, Wait):
        return played.settle(world)
    if isinstance(decision, Ask):
        return answered(world, decision)
    return world


def fold(
    world: World, ask: Callable[[World, Ask], World | None] | None = None, limit: int = LIMIT
) -> list[Decision]:
    """Return every decision up to the end, at most `limit`.

    `ask` may answer questions in earnest; what it leaves to us, and whatever a played delete has
    overtaken, is played.
    """
    decisions: list[Decision] = []
    moments = folding(world, limit)
    answer: World | None = None
    while True:
        try:
            world, decision = moments.send(answer)
        except StopIteration:
            return decisions
        decisions.append(decision)
        answer = ask(world, decision) if ask and isinstance(decision, Ask) else None


def folding(
    world: World, limit: int = LIMIT
) -> Generator[tuple[World, Decision], World | None, None]:
    """Yield each (world, decision) up to the end, at most `limit`.

    A caller may send the world with an answer to the question just yielded. It may be about the
    set as it was before the played steps. It is not used after a played delete, nor when it did
    not answer the question.
    """
    last: Decision | None = None
    is_replaced = False
    for _ in range(limit):
        decision = plan(world)
        if isinstance(decision, Wait) and decision == last:
            return
        answer = yield world, decision
        if isinstance(decision, (Blocked, Done)):
            return
        is_usable = answer is not None and not is_replaced and decision != last
        world = _as_cached(answer) if answer is not None and is_usable else apply(world, decision)
        is_replaced = is_replaced or isinstance(decision, (Recreate, Replace))
        last = decision


def answered(world: World, question: Ask) -> World:
    """Return the world with the answer of a cluster that has nothing against anything.

    Raises: LookupError, when it is about a set that is not there.
    """
    answers = world.answers
    if isinstance(question, AskGrowth):
        answers = replace(answers, growth=_growth(world, question))
    elif isinstance(question, AskBackup):
        answers = replace(answers, backups={**answers.backups, **_unopened(world, question)})
    elif isinstance(question, AskWitness):
        answers = replace(answers, witnessed=answers.witnessed | _witnessed(world, question))
    elif isinstance(question, AskEviction):
        answers = replace(answers, evictions={**answers.evictions, question.uid: None})
    elif isinstance(question, AskPods):
        answers = replace(answers, pods=_pods(world, played.living(world)))
    elif isinstance(question, AskLive):
        answers = replace(answers, live=Live(played.whole(played.living(world), world)))
    else:
        answers = replace(answers, proof=_proof(world, played.living(world), question))
    return replace(world, answers=answers)


def _growth(world: World, question: AskGrowth) -> Growth:
    known = world.answers.growth
    claims = {each.metadata.name: each for each in world.claims}
    given = {
        name: _claim_answer(world, claims[name], size) for name, size in question.sizes.items()
    }
    classes = {
        name: known.classes.get(name, StorageClass(Metadata(name), allow_volume_expansion=True))
        for name in question.classes
    }
    return Growth({**known.claims, **given}, classes, known.quotas)


def _claim_answer(world: World, claim: Claim, size: str) -> ClaimAnswer:
    known = world.answers.growth.claims.get(claim.metadata.name)
    volume = known.volume_bytes if known else None
    if volume is None and world.bounds.reads_volumes:
        volume = read_bytes(claim.capacity or "0")
    return ClaimAnswer(claim.metadata.resource_version, size, volume)


def _unopened(world: World, question: AskBackup) -> dict[str, Saved | Unreadable]:
    """Only who holds the key can open a backup that was there before."""
    unreadable = Unreadable(f"backup {question.name} is not opened here")
    return {each.uid: unreadable for each in world.backups if each.name == question.name}


def _witnessed(world: World, question: AskWitness) -> dict[str, bool]:
    return {each.uid: True for each in world.backups if each.name == question.backup}


def _pods(world: World, statefulset: StatefulSet) -> Pods:
    known = world.answers.pods
    if known is None:
        return played.quiet_pods(world, statefulset)
    version = statefulset.metadata.resource_version
    return Pods(version, world.now, world.now, known.pods)


def _proof(world: World, statefulset: StatefulSet, question: AskProof) -> Proof:
    live = played.whole(statefulset, world)
    probe = successor.probe(live, question.sizes)
    return Proof(
        live=Live(live),
        sizes=question.sizes,
        witness=True,
        same_name=None,
        probe=probe,
        sealed_bytes=_SEALED_BYTES,
    )


def _as_cached(world: World) -> World:
    """Return the world with its answers about the set as new as the played set."""
    statefulset = world.statefulset
    if statefulset is None:
        return world

    def renewed(live: Live) -> Live:
        is_it = live.uid == statefulset.metadata.uid
        return Live(played.as_cached(live.object, statefulset)) if is_it else live

    live, pods, proof = world.answers.live, world.answers.pods, world.answers.proof
    version = statefulset.metadata.resource_version
    answers = replace(
        world.answers,
        live=renewed(live) if live else None,
        pods=replace(pods, resource_version=version) if pods else None,
        proof=replace(proof, live=renewed(proof.live)) if proof else None,
    )
    return replace(world, answers=answers)
