"""What each guard answered, in words for people."""

from collections.abc import Iterator

import msgspec

from rso.app.forecast import Forecast, Moment
from rso.core import successor
from rso.core.actions import AskGrowth, AskPods, AskProof
from rso.core.gate import MAX_BACKUP_BYTES, quiet_fault
from rso.core.model import Quota, StorageClass
from rso.core.quantity import format_bytes, read_bytes
from rso.core.world import Growth, Proof, Refusal, World

_STORAGE = "requests.storage"


class Check(msgspec.Struct, frozen=True):
    """What was asked about, what was answered, and whether that lets the resize go on."""

    subject: str
    answer: str
    ok: bool


def checks(forecast: Forecast) -> Iterator[Check]:
    """Yield what each guard answered, in the order in which they were asked."""
    for moment in forecast.moments:
        if moment.answered is not None:
            yield from _of(moment, moment.answered)


def _of(moment: Moment, answered: World) -> Iterator[Check]:
    answers = answered.answers
    if isinstance(moment.decision, AskGrowth):
        yield from _growth(moment.decision, answers.growth)
    elif isinstance(moment.decision, AskPods) and answers.pods and moment.world.statefulset:
        fault = quiet_fault(moment.world.statefulset, answers.pods)
        yield Check("Pods", fault or "all there and quiet", not fault)
    elif isinstance(moment.decision, AskProof) and answers.proof:
        yield from _proof(answered.key.name, answers.proof)


def _growth(question: AskGrowth, growth: Growth) -> Iterator[Check]:
    for name in question.classes:
        yield _class(name, growth.classes.get(name))
    for quota in growth.quotas:
        yield from _quota(quota)
    for name, size in question.sizes.items():
        answer = growth.claims.get(name)
        refusal = answer.refusal if answer else None
        volume = answer.volume_bytes if answer else None
        now = f" (its volume has {format_bytes(volume)})" if volume is not None else ""
        text = f"refused with {refusal.code}" if refusal else f"dry run accepts {size}{now}"
        yield Check(f"claim {name}", text, refusal is None)


def _class(name: str, found: StorageClass | None) -> Check:
    is_expandable = bool(found and found.allow_volume_expansion)
    if found is None:
        text = "does not exist"
    else:
        text = "allows expansion" if is_expandable else "does not allow expansion"
    return Check(f"storage class {name}", text, is_expandable)


def _quota(quota: Quota) -> Iterator[Check]:
    for resource, hard in quota.status.hard.items():
        if resource.endswith(_STORAGE):
            left = read_bytes(hard) - read_bytes(quota.status.used.get(resource, "0"))
            text = f"{resource} has {format_bytes(max(left, 0))} left of {hard}"
            yield Check(f"quota {quota.metadata.name}", text, left > 0)


def _proof(name: str, proof: Proof) -> Iterator[Check]:
    yield _dry_run(f"delete of {name}", proof.deletion)
    yield _dry_run(f"create of {name}", proof.same_name)
    yield _probe(proof)
    yield Check(
        "newest ControllerRevision",
        "holds the Pod template" if proof.witness else "does not hold the Pod template",
        proof.witness,
    )
    fits = proof.sealed_bytes <= MAX_BACKUP_BYTES
    yield Check("backup", f"{proof.sealed_bytes} of {MAX_BACKUP_BYTES} bytes", fits)


def _dry_run(subject: str, refusal: Refusal | None) -> Check:
    if refusal is None:
        return Check(subject, "dry run accepts it", ok=True)
    return Check(subject, f"refused with {refusal.code}", ok=False)


def _probe(proof: Proof) -> Check:
    subject = "create under another name"
    if isinstance(proof.probe, Refusal):
        return Check(subject, f"refused with {proof.probe.code}", ok=False)
    is_same = successor.is_proven(proof.live.object, proof.probe, proof.sizes)
    text = "gives the same spec" if is_same else "would give another spec: Pods would restart"
    return Check(subject, text, is_same)
