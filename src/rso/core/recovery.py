"""What a backup demands, whatever the set wishes: bring an absent set back, finish a recreate.

Driven by the list of backups, never by events of sets: after the delete there is no set that
could raise one. The table is safety.md section 2.
"""

from datetime import datetime, timedelta

from rso.core import managers, selector, successor
from rso.core.actions import (
    AskBackup,
    AskLive,
    AskPods,
    AskWitness,
    Blocked,
    Decision,
    DropBackup,
    Recreate,
    RestoreManagers,
    Supersede,
    Unreference,
    Wait,
)
from rso.core.model import StatefulSet
from rso.core.names import FOREGROUND, Note, Phase, Reason
from rso.core.world import Backup, Pods, Saved, Unreadable, World

KEEP_SUPERSEDED = timedelta(days=7)
# The controller adopts within a second, unless it is throttled, overloaded or away.
ADOPTION_SECONDS = 0.2
LONGEST_ADOPTION_SECONDS = 30.0
ADOPTION_RATIO = 0.1  # of the new set's age


def recover(world: World) -> Decision | None:
    """Return what the backups of this set demand first; None when they demand nothing."""
    decisions = [_demand(world, backup) for backup in world.backups]
    pending = [each for each in decisions if each is not None]
    return min(pending, key=_patience, default=None)


def expiry(world: World) -> float | None:
    """Return the seconds until the first superseded backup is to be dropped."""
    left = [
        (since + KEEP_SUPERSEDED - world.now).total_seconds()
        for backup in world.backups
        for since in [_superseded_since(backup)]
        if since is not None
    ]
    return max(min(left), 0.0) + 1.0 if left else None


def _patience(decision: Decision) -> int:
    """Order what backups demand: a damaged one must not keep another from bringing a set back."""
    if isinstance(decision, Wait):
        return 2
    return 1 if isinstance(decision, Blocked) else 0


def _demand(world: World, backup: Backup) -> Decision | None:
    statefulset = world.statefulset
    if backup.fault:
        return Blocked(Reason.BACKUP_UNREADABLE, backup.fault)
    if backup.phase is Phase.SUPERSEDED:
        return _superseded(world, backup)
    if statefulset is None:
        return _absent(world, backup)
    if statefulset.metadata.uid != backup.statefulset_uid:
        return _another_uid(world, backup)
    return _same_uid(backup, statefulset)


def _superseded(world: World, backup: Backup) -> Decision | None:
    statefulset = world.statefulset
    if statefulset is not None and backup.successor == statefulset.metadata.uid:
        return None if statefulset.metadata.is_deleting else _finish(world, backup, statefulset)
    since = _superseded_since(backup)
    if since is not None and world.now - since > KEEP_SUPERSEDED:
        return DropBackup(backup.name, Note.BACKUP_DROPPED, "it was superseded seven days ago")
    return None


def _superseded_since(backup: Backup) -> datetime | None:
    """Return since when a backup is superseded; where nobody can tell, since it exists."""
    if backup.phase is not Phase.SUPERSEDED:
        return None
    return backup.superseded_at or backup.created_at


def _absent(world: World, backup: Backup) -> Decision:
    if backup.phase is not Phase.DELETING:
        return DropBackup(backup.name, Note.BACKUP_DROPPED, "the set was deleted by its user")
    if world.answers.is_namespace_gone:
        return DropBackup(backup.name, Note.NAMESPACE_GONE, "the namespace is being deleted")
    saved = _content(world, backup)
    return _witnessed(world, backup) if isinstance(saved, Saved) else saved


def _witnessed(world: World, backup: Backup) -> Decision:
    """Create nothing that the newest revision contradicts: an older backup may have been put back.

    The key proves that a backup of this set is ours, not that it is the last one (safety T4).
    """
    is_witnessed = world.answers.witnessed.get(backup.uid)
    if is_witnessed is None:
        return AskWitness(backup.name)
    if is_witnessed:
        return Recreate(backup.name)
    return Blocked(
        Reason.BACKUP_UNREADABLE,
        f"backup {backup.name} cannot be trusted: the newest ControllerRevision that the set left "
        "has another Pod template; look at it with rso backup show, and apply the set yourself",
    )


def _same_uid(backup: Backup, statefulset: StatefulSet) -> Decision | None:
    """Return what to do while the deleted set still shows; None: it lives, the gate goes on."""
    if not statefulset.metadata.is_deleting:
        return None
    finalizers = statefulset.metadata.finalizers
    if backup.phase is not Phase.DELETING or FOREGROUND in finalizers:
        return DropBackup(backup.name, Note.BACKUP_DROPPED, "the set was deleted by its user")
    return Wait("the set is being orphaned; it is created again once it is gone")


def _another_uid(world: World, backup: Backup) -> Decision:
    """Tell our own new set from a name that somebody else took (safety T6)."""
    saved = _content(world, backup)
    if not isinstance(saved, Saved):
        return saved
    live = world.live()
    if live is None:
        return AskLive()
    if successor.is_our_successor(saved.object, live.object, saved.sizes):
        return Supersede(backup.name, live.uid)
    if backup.phase is None:
        # Nothing was deleted on its behalf, so no name was taken: the set's user made another one,
        # or the backup's CREATE came late and its set has long been replaced (safety class I).
        return DropBackup(backup.name, Note.BACKUP_DROPPED, "its set is no more")
    return Supersede(backup.name, "")


def _content(world: World, backup: Backup) -> Saved | AskBackup | Blocked:
    saved = world.answers.backups.get(backup.uid)
    if saved is None:
        return AskBackup(backup.name)
    if isinstance(saved, Unreadable):
        return Blocked(Reason.BACKUP_UNREADABLE, saved.sentence)
    return saved


def _finish(world: World, backup: Backup, statefulset: StatefulSet) -> Decision:
    """Give the fields back, wait for adoption, then drop the backup (steps 7 and 8)."""
    saved = _content(world, backup)
    if not isinstance(saved, Saved):
        return saved
    live = world.live()
    if live is None:
        return AskLive()
    before, now = (
        each["metadata"].get("managedFields", []) for each in (saved.object, live.object)
    )
    if not managers.is_restored(before, now):
        return RestoreManagers(backup.name, live.uid)
    stale = _reference_to(world, backup.statefulset_uid)
    if stale:
        return stale
    pods = world.pods()
    if pods is None:
        return AskPods()
    alert = _stale_pods(backup.statefulset_uid, pods)
    if alert or not _is_adopted(statefulset, pods):
        pause = _adoption_pause(statefulset, pods)
        return Wait("the new set has not adopted every Pod yet", seconds=pause, alert=alert)
    changed = pods_changed(saved, pods)
    note = Note.PODS_CHANGED if changed else Note.RECREATED
    return DropBackup(backup.name, note, changed or "the same Pods, the new sizes")


def _reference_to(world: World, uid: str) -> Unreference | None:
    """Return the removal of a claim's reference to the old set: never left to the collector."""
    for claim in world.claims:
        if any(owner.uid == uid for owner in claim.metadata.owner_references):
            return Unreference(claim.metadata.name, claim.metadata.resource_version, (uid,))
    return None


def _is_adopted(statefulset: StatefulSet, answer: Pods) -> bool:
    uid = statefulset.metadata.uid
    own = selector.pods_of(statefulset, answer.pods).values()
    owners = [pod.metadata.controller for pod in own]
    return all(owner is not None and owner.uid == uid for owner in owners)


def _stale_pods(uid: str, answer: Pods) -> str:
    """Return which Pods the garbage collector may delete: those that name the set that is gone.

    Never written to: only a person can decide (kubernetes.md S7).
    """
    stale = [
        pod.metadata.name
        for pod in answer.pods
        if any(owner.uid == uid for owner in pod.metadata.owner_references)
    ]
    names = ", ".join(stale)
    return (
        "the garbage collector may delete Pods that still refer to the set that was replaced, and "
        f"the set makes them again: {names}"
        if stale
        else ""
    )


def _adoption_pause(statefulset: StatefulSet, answer: Pods) -> float:
    """Return the seconds until the Pods are listed again: the longer, the older the new set is."""
    created_at = statefulset.metadata.creation_timestamp
    age = (answer.listed_at - created_at).total_seconds() if created_at else 0.0
    return max(ADOPTION_SECONDS, min(age * ADOPTION_RATIO, LONGEST_ADOPTION_SECONDS))


def pods_changed(saved: Saved, answer: Pods) -> str:
    """Return which Pods are not as they were: another uid, or a restart of one that was ready."""
    now = {pod.metadata.name: pod for pod in answer.pods}
    changed = [
        before.name
        for before in saved.pods
        if before.name not in now
        or now[before.name].metadata.uid != before.uid
        or (before.is_ready and now[before.name].restarts > before.restarts)
    ]
    return f"since the backup these Pods changed: {', '.join(changed)}" if changed else ""
