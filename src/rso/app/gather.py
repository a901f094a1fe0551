"""Makes a World: what the view holds, and answers to what `plan` has asked.

The only place that reads for a decision. Answers are kept while they may still be true; `plan`
itself judges them by their resourceVersion, so a kept answer can only save a request.
"""

from msgspec.structs import replace

from rso.app.answers import Questions
from rso.app.backup import backup_name
from rso.app.patience import Patience
from rso.app.seal import Sealer
from rso.app.view import View
from rso.core.actions import (
    Ask,
    AskBackup,
    AskEviction,
    AskGrowth,
    AskLive,
    AskPods,
    AskProof,
    AskWitness,
    GrowClaim,
)
from rso.core.model import Claim, StatefulSet
from rso.core.policy import Bounds, has_own_annotation
from rso.core.world import (
    Answers,
    Backup,
    ClaimAnswer,
    Growth,
    Key,
    Proof,
    Refusal,
    Saved,
    Unreadable,
    World,
)
from rso.kube.clock import Clock
from rso.kube.errors import NotFound


class Gatherer:
    """Reads for decisions about many sets."""

    def __init__(
        self, view: View, questions: Questions, sealer: Sealer, bounds: Bounds, clock: Clock
    ) -> None:
        self.questions = questions
        self._view = view
        self._sealer = sealer
        self._bounds = bounds
        self._clock = clock
        self._answers: dict[Key, Answers] = {}
        self._deletions: dict[Key, Refusal] = {}
        self._pauses = Patience(clock)
        self._sealed: set[str] = set()  # names of backups that could not be opened

    def world(self, key: Key, *, has_turn: bool) -> World:
        """Return everything that one decision about this set reads."""
        statefulset = self._view.statefulset(key)
        backups = self._backups(key, statefulset)
        return World(
            key=key,
            now=self._clock.now(),
            bounds=self._bounds,
            statefulset=statefulset,
            claims=self._claims(key, statefulset, backups),
            backups=backups,
            has_key=self._sealer.has_key,
            has_turn=has_turn,
            answers=self._answers.get(key, Answers()),
        )

    async def ask(self, world: World, question: Ask) -> None:
        """Ask one question and keep the answer.

        Raises: ApiError, Unreachable; Conflict and NotFound mean that something has changed.
        """
        answers = self._answers.get(world.key, Answers())
        self._answers[world.key] = await self._answered(world, answers, question)

    async def answer(self, world: World, question: Ask) -> World:
        """Return a world that may be imagined, with the answer to one question; keep nothing.

        Raises: as `ask`.
        """
        return replace(world, answers=await self._answered(world, world.answers, question))

    def learn_backup(self, key: Key, uid: str, saved: Saved | Unreadable) -> None:
        """Keep what was just read from a backup."""
        answers = self._answers.get(key, Answers())
        self._answers[key] = replace(answers, backups={**answers.backups, uid: saved})

    def learn_claim(self, world: World, step: GrowClaim, refusal: Refusal) -> None:
        """Keep that a claim was refused in earnest, until everything is asked anew."""
        answers = self._answers.get(world.key, Answers())
        known = answers.growth.claims
        found = known.get(step.claim)
        volume_bytes = found.volume_bytes if found else None
        refused = ClaimAnswer(step.resource_version, step.new, volume_bytes, refusal)
        growth = replace(answers.growth, claims={**known, step.claim: refused})
        self._answers[world.key] = replace(answers, growth=growth)

    def learn_deletion(self, key: Key, refusal: Refusal) -> None:
        """Keep that a delete was refused in earnest although its dry run was not.

        Until a pause has ended, longer each time, proofs say so: it is not tried at every look.
        """
        self._deletions[key] = refusal
        self._pauses.begin(key)
        self._answers[key] = replace(self._answers.get(key, Answers()), proof=None)

    def learn_eviction(self, key: Key, uid: str, refusal: Refusal) -> None:
        """Keep that an eviction was refused in earnest, until everything is asked anew."""
        answers = self._answers.get(key, Answers())
        self._answers[key] = replace(answers, evictions={**answers.evictions, uid: refusal})

    def forget_pods(self, key: Key) -> None:
        """Drop the list of Pods: one of them is about to change."""
        self._answers[key] = replace(self._answers.get(key, Answers()), pods=None)

    def learn_namespace_gone(self, key: Key) -> None:
        """Keep that the namespace of an absent set is being deleted."""
        answers = self._answers.get(key, Answers())
        self._answers[key] = replace(answers, is_namespace_gone=True)

    def sealed(self) -> int:
        """Return how many backups there are that could not be opened when last tried."""
        self._sealed = {name for name in self._sealed if self._view.backup(name) is not None}
        return len(self._sealed)

    def forget(self, key: Key) -> None:
        """Drop every answer: the next look asks again."""
        self._answers.pop(key, None)

    def settle(self, key: Key) -> None:
        """Keep only the sizes of volumes: a set that is done is not asked about again."""
        self._pauses.end(key)
        answers = self._answers.pop(key, None)
        if answers is not None and answers.growth.claims:
            self._answers[key] = Answers(growth=Growth(claims=answers.growth.claims))

    async def _answered(self, world: World, answers: Answers, question: Ask) -> Answers:
        match question:
            case AskGrowth():
                growth = await self.questions.growth(world, question)
                return replace(answers, growth=growth)
            case AskPods():
                pods = await self.questions.pods(world.key, _living(world))
                return replace(answers, pods=pods)
            case AskLive():
                return replace(answers, live=await self.questions.live(world.key))
            case AskProof():
                proof = await self.questions.proof(world, question.sizes)
                return replace(answers, proof=self._with_deletion(world.key, proof))
            case AskBackup():
                uid, saved = await self.questions.backup(question)
                self._learn_sealed(question.name, saved)
                return replace(answers, backups={**answers.backups, uid: saved})
            case AskEviction():
                answer = await self.questions.eviction(world.key, question)
                return replace(answers, evictions={**answers.evictions, question.uid: answer})
            case AskWitness():
                witnessed = await self.questions.left_witness(world, question)
                return replace(answers, witnessed=answers.witnessed | witnessed)

    def _learn_sealed(self, name: str, saved: Saved | Unreadable) -> None:
        if isinstance(saved, Unreadable):
            self._sealed.add(name)
        else:
            self._sealed.discard(name)

    def _with_deletion(self, key: Key, proof: Proof) -> Proof:
        refusal = self._deletions.pop(key, None)
        if refusal is None or self._pauses.remaining(key) == 0:
            return proof
        self._deletions[key] = refusal
        return replace(proof, deletion=proof.deletion or refusal)

    def _claims(
        self, key: Key, statefulset: StatefulSet | None, backups: tuple[Backup, ...]
    ) -> tuple[Claim, ...]:
        """Return the claims, but only for a set that asks for something."""
        if statefulset is None or not (has_own_annotation(statefulset) or backups):
            return ()
        return self._view.claims(key)

    def _backups(self, key: Key, statefulset: StatefulSet | None) -> tuple[Backup, ...]:
        """Return the backups of the set, also one that can be told by its name only."""
        found = self._view.backups(key)
        if statefulset is None:
            return found
        uid = statefulset.metadata.uid
        own = self._view.backup(backup_name(self._sealer.cluster, *key, uid))
        if own is None or not own.fault:
            return found
        return (*found, replace(own, statefulset_uid=uid))


def _living(world: World) -> StatefulSet:
    if world.statefulset is None:
        raise NotFound(404, "NotFound", "the set has gone")
    return world.statefulset
