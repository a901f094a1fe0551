"""From a World to one next step.

    backups first (recovery) -> faults of the annotations -> claims grow -> the set is replaced

Nothing is remembered: the phase follows from which uid lives, whether it is being deleted and
which backups there are. Whatever a run left behind, the next look goes on from there.
"""

from rso.core import gate, growth, offline, recovery, storage
from rso.core.actions import (
    Ask,
    AskPods,
    Blocked,
    Decision,
    Done,
    DropBackup,
    RenewGeneration,
    Replace,
    RestorePolicy,
    SaveBackup,
    SetRetain,
    SetStatus,
    Step,
    Unreference,
    Wait,
)
from rso.core.claims import Tracked, largest_requests, own_claims
from rso.core.model import StatefulSet
from rso.core.names import WAITING, WHEN_DELETED, Note, Phase, Reason
from rso.core.policy import (
    RETENTION_POLICIES,
    Fault,
    Policy,
    Target,
    has_own_annotation,
    read_policy,
    wished_sizes,
)
from rso.core.world import World

MAX_STATUS_CHARACTERS = 1000
_BEYOND_RETAIN = (RenewGeneration, SetRetain, Unreference, SaveBackup, Replace)


def plan(world: World) -> Decision:
    """Return the next step for one set, or what to ask, to wait for, or what forbids to go on.

    Raises: InvalidQuantity, when an object holds a size that cannot be read.
    """
    statefulset = world.statefulset
    recovering = recovery.recover(world)
    if statefulset is None or statefulset.metadata.is_deleting:
        return recovering or Done()
    if recovering is not None:
        is_refused = isinstance(recovering, Blocked)
        return _with_status(world, (), recovering) if is_refused else recovering
    if not has_own_annotation(statefulset) and world.own_backup() is None:
        return Done()
    return _plan_live(world, statefulset)


def _plan_live(world: World, statefulset: StatefulSet) -> Decision:
    policy = read_policy(statefulset, world.bounds, largest_requests(world))
    if isinstance(policy, Fault):
        return _leave(world, statefulset, (), Blocked(policy.reason, policy.sentence))
    decision = _decide(world, statefulset, policy)
    if policy.paused and not isinstance(decision, (Done, Blocked)):
        decision = Wait("the set is paused; remove the annotation paused to go on", Reason.PAUSED)
    return _leave(world, statefulset, policy.targets, decision)


def _decide(world: World, statefulset: StatefulSet, policy: Policy) -> Decision:
    claims = own_claims(world, policy)
    if isinstance(claims, AskPods):
        return claims
    owner = statefulset.metadata.controller
    sizes = gate.recreate_sizes(policy)
    if owner is not None and policy.recreate and _is_wanted(world, policy, claims, sizes):
        return _owned(owner.kind, owner.name)
    return (
        growth.grow(world, claims)
        or storage.progress(world, claims)
        or _recreate(world, statefulset, sizes)
        or offline.restart(world, claims, may_evict=policy.evicts)
        or storage.unfinished(world, claims)
        or Done()
    )


def _is_wanted(
    world: World, policy: Policy, claims: tuple[Tracked, ...], sizes: dict[str, str]
) -> bool:
    """Return whether a wish is not yet satisfied: only then an owner matters."""
    wished = any(target.is_wished for target in policy.targets)
    return wished and bool(sizes or growth.grow(world, claims))


def _owned(kind: str, name: str) -> Blocked:
    return Blocked(
        Reason.OWNED_BY_CONTROLLER,
        f"{kind} {name} manages this set and would undo a recreate; set the size there, or set "
        "the annotation recreate to false to grow only the claims",
    )


def _recreate(world: World, statefulset: StatefulSet, sizes: dict[str, str]) -> Decision | None:
    if not sizes:
        return None
    return gate.refuse(world, statefulset) or gate.recreate(world, statefulset, sizes)


def _leave(
    world: World, statefulset: StatefulSet, targets: tuple[Target, ...], decision: Decision
) -> Decision:
    """Undo what a recreate that does not go on has prepared, then tell, then decide."""
    if not (isinstance(decision, Ask) or _goes_on(world, decision)):
        backup = world.own_backup()
        if backup is not None and not _is_unreadable(decision):
            return DropBackup(backup.name, Note.BACKUP_DROPPED, "the recreate does not go on")
        policy = statefulset.metadata.annotations.get(WHEN_DELETED)
        if policy in RETENTION_POLICIES:
            return RestorePolicy(policy, statefulset.metadata.resource_version)
    return _with_status(world, targets, decision)


def _is_unreadable(decision: Decision) -> bool:
    """Return whether a backup must be kept because nobody could open it."""
    return isinstance(decision, Blocked) and decision.reason is Reason.BACKUP_UNREADABLE


def _goes_on(world: World, decision: Decision) -> bool:
    """Return whether a decision lies beyond the Retain step, or only waits there.

    Who must wait for quiet with a backup that already says `deleting` (a crash before the DELETE)
    saves again later: meanwhile the set must not come back if its user deletes it, and it must
    not hold the turn of others.
    """
    if isinstance(decision, (*_BEYOND_RETAIN, DropBackup)):
        return True
    if not isinstance(decision, Wait):
        return False
    backup = world.own_backup()
    is_marked = backup is not None and backup.phase is Phase.DELETING
    return decision.reason is None or (decision.reason is Reason.NOT_QUIET and not is_marked)


def _with_status(world: World, targets: tuple[Target, ...], decision: Decision) -> Decision:
    """Return the writing of the status where its words differ, else the decision.

    None is written between save and finish: it would make the backup differ from the set.
    """
    is_saved = world.own_backup() is not None and not _is_unreadable(decision)
    if isinstance(decision, Ask) or is_saved:
        return decision
    text = status_text(world, targets, decision)
    return SetStatus(text) if text != world.status else decision


def status_text(world: World, targets: tuple[Target, ...], decision: Decision) -> str:
    """Return the words of the status annotation: no counters, no times."""
    sizes = wished_sizes(targets)
    if isinstance(decision, Blocked):
        head = "Waiting" if decision.reason in WAITING else "Blocked"
        text = f"{head}: {decision.reason}: {decision.sentence}"
    elif isinstance(decision, Wait) and decision.reason is not None:
        text = f"Waiting: {decision.reason}: {decision.sentence}"
    elif isinstance(decision, Done):
        text = (f"Done: {sizes}" if sizes else "Done") if world.status else ""
    elif isinstance(decision, Step) or not world.status.startswith("Growing"):
        text = f"Growing: {sizes}"
    else:
        text = world.status
    return text[:MAX_STATUS_CHARACTERS]
