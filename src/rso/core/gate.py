"""Steps 0b and 2 to 5: prove the recreate, wait for quiet, keep the claims, save, replace.

Everything that can refuse is asked before the delete. From `SetRetain` on each look that leads
back before it restores the retention policy; `plan` sees to that.
"""

from datetime import datetime

from rso.core import selector, successor
from rso.core.actions import (
    AskBackup,
    AskPods,
    AskProof,
    Blocked,
    Decision,
    DropBackup,
    RenewGeneration,
    Replace,
    SaveBackup,
    SetRetain,
    Unreference,
    Wait,
)
from rso.core.model import Claim, StatefulSet
from rso.core.names import OWN_FINALIZERS, Note, Reason
from rso.core.policy import Policy
from rso.core.refusals import create_refusal, delete_refusal
from rso.core.world import Pods, Proof, Refusal, Unreadable, World

# A younger Pod, or one that was adopted later, may not be in the garbage collector's graph as one
# of this set's: its reference would stay, and the Pod be collected (kubernetes.md S7, S9; decision
# 0006).
YOUNG_POD_SECONDS = 5.0
MAX_BACKUP_BYTES = 900 * 1024  # a ConfigMap holds 1 MiB


def recreate_sizes(policy: Policy) -> dict[str, str]:
    """Return `{template: size}` of the templates that must become larger."""
    if not policy.recreate:
        return {}
    return {target.name: target.template.text for target in policy.targets if target.rises}


def refuse(world: World, statefulset: StatefulSet) -> Decision | None:
    """Return what forbids a recreate, as far as the caches tell; None: go on."""
    foreign = [each for each in statefulset.metadata.finalizers if each not in OWN_FINALIZERS]
    if foreign:
        return Blocked(
            Reason.FOREIGN_FINALIZER,
            f"the claims have grown, but the finalizer {foreign[0]} would hold the set in "
            "deletion; remove it, or set the annotation recreate to false",
        )
    if not world.has_key:
        return Blocked(
            Reason.NO_KEY,
            "the claims have grown, but the operator has no readable key for the backup, and "
            "without a backup no set is deleted; run rso keygen, the operator then finds the key",
        )
    if is_rolling(statefulset):
        return Wait(
            "the claims have grown; the template follows when the rolling update has ended",
            Reason.ROLLING_UPDATE,
        )
    return None


def recreate(world: World, statefulset: StatefulSet, sizes: dict[str, str]) -> Decision:
    """Return the next step of a recreate that nothing in the caches forbids."""
    if world.own_backup() is not None and not world.has_turn:
        return Wait("another set is being recreated", is_turn=True)
    not_quiet = _not_observed(statefulset) or _not_quiet(world, statefulset)
    if not_quiet:
        return not_quiet
    proof = world.proof(sizes)
    if proof is None:
        return AskProof(sizes)
    return (
        _unproven(world, proof)
        or _keep_claims(world, statefulset)
        or _save(world, statefulset, proof)
        or Replace(_backup_name(world), statefulset.metadata.uid)
    )


def quiet_fault(statefulset: StatefulSet, answer: Pods) -> str:
    """Return why the Pods of a set are not quiet; empty when they are.

    Not "ready": a Pod that crash-loops on its full disk must not block its own cure.
    """
    uid = statefulset.metadata.uid
    pods = selector.pods_of(statefulset, answer.pods)
    ordinals = selector.ordinals(statefulset)
    for ordinal in ordinals:
        if ordinal not in pods:
            return f"Pod {statefulset.metadata.name}-{ordinal} is missing"
    for ordinal, pod in pods.items():
        name = pod.metadata.name
        owner = pod.metadata.controller
        if pod.metadata.is_deleting or ordinal not in ordinals:
            return f"Pod {name} is going"
        if owner is None or owner.uid != uid:
            return f"Pod {name} belongs to another owner"
        if _is_recent(pod.metadata.adopted_at(uid), answer):
            return f"Pod {name} was created or adopted just now"
    return ""


def _is_recent(time: datetime | None, answer: Pods) -> bool:
    return time is None or (answer.listed_at - time).total_seconds() < YOUNG_POD_SECONDS


def stale_references(claims: tuple[Claim, ...], statefulset: str) -> Unreference | None:
    """Return the removal of the first claim's references to sets of this name."""
    for claim in claims:
        owners = claim.metadata.owner_references
        uids = tuple(
            each.uid for each in owners if each.kind == "StatefulSet" and each.name == statefulset
        )
        if uids:
            return Unreference(claim.metadata.name, claim.metadata.resource_version, uids)
    return None


def is_rolling(statefulset: StatefulSet) -> bool:
    """Return whether a roll-out would lose its boundary (kubernetes.md A7-A9)."""
    if statefulset.spec.update_strategy.type == "OnDelete":
        return False
    status = statefulset.status
    return status.current_revision != status.update_revision


def _not_observed(statefulset: StatefulSet) -> Wait | None:
    if statefulset.status.observed_generation < statefulset.metadata.generation:
        return Wait("the StatefulSet controller has not seen the last change", Reason.NOT_QUIET)
    return None


def _not_quiet(world: World, statefulset: StatefulSet) -> Decision | None:
    pods = world.pods()
    if pods is None:
        return AskPods()
    fault = quiet_fault(statefulset, pods)
    if not fault:
        return None
    return Wait(f"the claims have grown; the template follows: {fault}", Reason.NOT_QUIET, 1.0)


def _unproven(world: World, proof: Proof) -> Blocked | None:
    if proof.deletion is not None:
        return delete_refusal(world.key.name, proof.deletion)
    if proof.same_name is not None:
        return create_refusal(world.key.name, proof.same_name)
    if isinstance(proof.probe, Refusal):
        return create_refusal(world.key.name, proof.probe)
    if not successor.is_proven(proof.live.object, proof.probe, proof.sizes):
        return _cannot_prove("the API server would store another spec than the one that lives")
    if not proof.witness:
        return _cannot_prove("the newest ControllerRevision does not hold the Pod template")
    if proof.sealed_bytes > MAX_BACKUP_BYTES:
        return Blocked(
            Reason.TOO_LARGE,
            f"the claims have grown, but the backup of the set would have {proof.sealed_bytes} "
            f"bytes, and {MAX_BACKUP_BYTES} fit; make the set smaller, or set the annotation "
            "recreate to false",
        )
    return None


def _cannot_prove(why: str) -> Blocked:
    return Blocked(
        Reason.CANNOT_PROVE,
        f"the claims have grown, but {why}, so a recreate might restart Pods; set the annotation "
        "recreate to false, or recreate the set by hand",
    )


def _keep_claims(world: World, statefulset: StatefulSet) -> Decision | None:
    """Step 3: no claim may be collected with the set (kubernetes.md P4-P7)."""
    version = statefulset.metadata.resource_version
    if statefulset.spec.persistent_volume_claim_retention_policy.when_deleted == "Delete":
        is_ahead = statefulset.status.observed_generation > statefulset.metadata.generation
        return RenewGeneration(version) if is_ahead else SetRetain(version)
    return stale_references(world.claims, world.key.name)


def _save(world: World, statefulset: StatefulSet, proof: Proof) -> Decision | None:
    """Step 4: a verified backup that still equals the set, or no delete (safety O6)."""
    backup = world.own_backup()
    if backup is None:
        return SaveBackup(statefulset.metadata.uid, proof.sizes)
    saved = world.answers.backups.get(backup.uid)
    if saved is None:
        return AskBackup(backup.name)
    if isinstance(saved, Unreadable):
        return Blocked(Reason.BACKUP_UNREADABLE, saved.sentence)
    if saved.sizes != proof.sizes or not successor.is_same(saved.object, proof.live.object):
        return DropBackup(backup.name, Note.BACKUP_DROPPED, "the set has changed since")
    return None


def _backup_name(world: World) -> str:
    backup = world.own_backup()
    return backup.name if backup else ""
