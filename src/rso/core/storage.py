"""Step 1b: how far the storage side is with the claims, and what it says against them.

Source: KEP-1790; kubernetes.md V11-V21 and V38-V44, seen on Kubernetes 1.37.2.
"""

from datetime import datetime

from rso.core.actions import Blocked, Decision, Wait, is_older
from rso.core.claims import Tracked, answer_for
from rso.core.model import Condition
from rso.core.names import GROWN_AT, Reason
from rso.core.quantity import format_bytes
from rso.core.times import parse_time
from rso.core.world import World

# A resize that has not ended by then is reported; slow clouds take minutes, not a quarter hour.
STUCK_AFTER_SECONDS = 15 * 60.0
# How long a node may take to grow a mounted filesystem; then it has to be mounted anew.
ONLINE_SECONDS = 5 * 60.0
_NAMED_CLAIMS = 8  # in a command; the status has to hold it whole, and the others grow meanwhile
_NODE_PART = ("NodeResizePending", "NodeResizeInProgress")


def progress(world: World, claims: tuple[Tracked, ...]) -> Decision | None:
    """Step 1b: return why the storage side is not done with its controller part; None: it is."""
    for each in claims:
        # Also one that no Pod uses: strictly before the delete (O10).
        if each.is_infeasible and not is_grown(each, world):
            return _infeasible(each)
    with_pod = [each for each in claims if each.has_pod and each.is_bound]
    waiting = [each for each in with_pod if not _is_controller_done(each, world)]
    for each in waiting:
        fault = _storage_fault(world, each, waiting)
        if fault:
            return fault
    if waiting:
        return Wait(f"claim {waiting[0].name} is growing", seconds=_until_stuck(world, waiting))
    return None


def unfinished(world: World, claims: tuple[Tracked, ...]) -> Decision | None:
    """Return what keeps the set from being Done although its claims were accepted."""
    for each in claims:
        if each.has_pod and each.is_bound and not is_grown(each, world):
            seconds = _soonest(_until_stuck(world, [each]), _until_late(each, world.now))
            growing = Wait(f"the filesystem of claim {each.name} is growing", seconds=seconds)
            return _storage_fault(world, each, [each]) or growing
    # Not those of a scale-up after the resize: they are made in the size wanted.
    small = [each for each in claims if each.request_bytes < each.wanted_bytes]
    unbound = [each.name for each in small if not each.is_bound]
    if unbound:
        sentence = f"claim {', '.join(unbound[:3])} is not bound; it grows once it is"
        return Wait(sentence, Reason.UNBOUND)
    return None


def pending_since(each: Tracked) -> datetime | None:
    """Return since when only the node's part is left; None: it is not, or nobody knows."""
    pending = each.claim.status.condition("FileSystemResizePending")
    return _latest(pending.last_transition_time, _grown_at(each)) if pending else None


def is_grown(each: Tracked, world: World) -> bool:
    """Return whether claim and volume have the size wanted, and the filesystem with them."""
    if each.is_done:
        return True
    answer = answer_for(each, world)
    return bool(answer and (answer.volume_bytes or 0) >= each.wanted_bytes)


def _is_controller_done(each: Tracked, world: World) -> bool:
    return is_grown(each, world) or each.claim.status.resize_status in _NODE_PART


def _storage_fault(world: World, each: Tracked, waiting: list[Tracked]) -> Blocked | None:
    """Return what the storage side says against a claim (KEP-1790; kubernetes.md V15-V21)."""
    error = each.claim.status.condition("ControllerResizeError")
    if _is_controller_done(each, world):
        error = None  # it stays until the node's part is done, too
    if error and "FailedPrecondition" in error.message:
        return _needs_downtime(world, each, waiting)
    error = error or each.claim.status.condition("NodeResizeError")
    since = error.last_transition_time if error else _grown_at(each)
    if is_older(_latest(since, _grown_at(each)), world.now, STUCK_AFTER_SECONDS):
        return _stuck(each, error)
    return None


def _infeasible(each: Tracked) -> Blocked:
    if not each.is_refused_by_controller:
        # Its volume has the size already: a smaller request would never converge (V40).
        return Blocked(
            Reason.INFEASIBLE,
            f"the volume of claim {each.name} has grown, but its node cannot grow the filesystem; "
            "see the claim's condition NodeResizeError and the driver's log on that node; nothing "
            "was deleted",
        )
    return Blocked(
        Reason.INFEASIBLE,
        f"the storage of claim {each.name} cannot grow to the {each.claim.request} that it asks "
        "for; lower the wish to a size above "
        f"{format_bytes(each.capacity_bytes)} and below {format_bytes(each.request_bytes)}; "
        "nothing was deleted",
    )


def _needs_downtime(world: World, each: Tracked, waiting: list[Tracked]) -> Blocked:
    """Return the commands that cure a driver which expands unused volumes only.

    The node's part comes with the Pods, so `status.capacity` does not change before (V44).
    """
    namespace, name = world.key
    replicas = world.statefulset.spec.replicas if world.statefulset else 0
    claims = " ".join(other.name for other in waiting[:_NAMED_CLAIMS])
    return Blocked(
        Reason.NEEDS_DOWNTIME,
        f"the driver of claim {each.name} grows a volume only while no Pod uses it; when the set "
        f"may stop, run: kubectl -n {namespace} scale statefulset {name} --replicas=0; "
        f"kubectl -n {namespace} wait pvc {claims} --for=condition=FileSystemResizePending "
        f"--timeout=10m; kubectl -n {namespace} scale statefulset {name} --replicas={replicas}",
    )


def _stuck(each: Tracked, error: Condition | None) -> Blocked:
    said = f": {error.message[:200]!a}" if error else ""
    return Blocked(
        Reason.STUCK,
        f"claim {each.name} has been growing to {each.target.claim.text} for more than "
        f"{STUCK_AFTER_SECONDS / 60:.0f} minutes{said}; see its events and the storage driver",
    )


def _grown_at(each: Tracked) -> datetime | None:
    return parse_time(each.claim.metadata.annotations.get(GROWN_AT, ""))


def _latest(first: datetime | None, second: datetime | None) -> datetime | None:
    known = [each for each in (first, second) if each is not None]
    return max(known) if known else None


def _soonest(first: float | None, second: float | None) -> float | None:
    known = [each for each in (first, second) if each is not None]
    return min(known) if known else None


def _until_late(each: Tracked, now: datetime) -> float | None:
    """Return the seconds until the node has had its time; None: they are over, or do not run."""
    since = pending_since(each)
    left = ONLINE_SECONDS - (now - since).total_seconds() if since else -1.0
    return left + 1.0 if left >= 0 else None


def _until_stuck(world: World, waiting: list[Tracked]) -> float | None:
    """Return the seconds until the first of these claims counts as stuck."""
    times = [each for each in map(_grown_at, waiting) if each is not None]
    if not times:
        return None
    left = STUCK_AFTER_SECONDS - (world.now - min(times)).total_seconds()
    return max(left, 0.0) + 1.0
