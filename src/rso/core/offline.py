"""Step 6: filesystems that grow only when they are mounted anew.

Some drivers refuse to grow a filesystem that is in use: the volume has grown, and the claim waits
with FileSystemResizePending until its Pod starts again. A set that says so has its Pods evicted,
one at a time. Each Pod once: one that was started since the volume grew is not evicted for it
again. A driver that refuses to grow a *volume* in use is another case: there no eviction helps,
since the Pod is back before the storage tries again (kubernetes.md V44; storage.py).
"""

from rso.core import selector
from rso.core.actions import AskEviction, AskPods, Blocked, Decision, EvictPod, Wait, is_older
from rso.core.claims import Tracked
from rso.core.gate import is_rolling, quiet_fault
from rso.core.model import StatefulSet
from rso.core.names import Reason
from rso.core.pods import Pod
from rso.core.refusals import eviction_refusal
from rso.core.storage import ONLINE_SECONDS, is_grown, pending_since
from rso.core.world import Pods, World

# How long a Pod may take to go and to be ready again before a person is told.
STARTING_SECONDS = 5 * 60.0
_LOOK_SECONDS = 5.0  # between looks at Pods, which tell no watch of ours


def restart(world: World, claims: tuple[Tracked, ...], *, may_evict: bool) -> Decision | None:
    """Return how the next Pod is started anew; None: no claim of a running Pod needs it."""
    late = [each for each in claims if _is_late(each, world)]
    if not late or world.statefulset is None:
        return None
    answer = world.pods()
    if answer is None:
        return AskPods()
    pods = selector.pods_of(world.statefulset, answer.pods)
    old = {each.ordinal: each for each in late if _has_run(pods.get(each.ordinal), each)}
    if not old:
        return None
    if not may_evict:
        return _needs_downtime(world, old)
    ordinal = max(old, key=lambda each: (not pods[each].is_ready, each))
    return _not_steady(world.statefulset, answer, ordinal, old) or _evict(world, pods[ordinal])


def _is_late(each: Tracked, world: World) -> bool:
    if not (each.has_pod and each.is_bound) or is_grown(each, world):
        return False
    return is_older(pending_since(each), world.now, ONLINE_SECONDS)


def _has_run(pod: Pod | None, each: Tracked) -> bool:
    """Return whether a Pod has run since before the volume grew: nothing was mounted since."""
    if pod is None or pod.status.phase != "Running":
        return False
    since, made = pending_since(each), pod.metadata.creation_timestamp
    return since is not None and made is not None and made <= since


def _not_steady(
    statefulset: StatefulSet, answer: Pods, ordinal: int, old: dict[int, Tracked]
) -> Wait | None:
    """Return why no Pod may go now: the one before is not back, or more than one would be away.

    Pods that are not ready and wait for their own filesystem do not count while one of them is
    next: a full disk must not block its own cure.
    """
    if is_rolling(statefulset):
        sentence = "Pods are started anew for their filesystems when the rolling update has ended"
        return Wait(sentence, Reason.ROLLING_UPDATE, _LOOK_SECONDS)
    pods = selector.pods_of(statefulset, answer.pods)
    fault = quiet_fault(statefulset, answer)
    for number in selector.ordinals(statefulset):
        is_excused = number == ordinal or (number in old and not pods[ordinal].is_ready)
        if not fault and not is_excused and not _is_available(pods[number], statefulset, answer):
            fault = f"Pod {pods[number].metadata.name} is not ready"
    if not fault:
        return None
    sentence = f"the next Pod is started anew for its filesystem later: {fault}"
    reason = None if _is_one_starting(pods, answer) else Reason.NOT_QUIET
    return Wait(sentence, reason, _LOOK_SECONDS)


def _is_one_starting(pods: dict[int, Pod], answer: Pods) -> bool:
    """Return whether a Pod goes or came just now: that takes its time, as a rule."""
    metadata = [each.metadata for each in pods.values()]
    times = (each.deletion_timestamp or each.creation_timestamp for each in metadata)
    return any(
        each is not None and not is_older(each, answer.listed_at, STARTING_SECONDS)
        for each in times
    )


def _is_available(pod: Pod, statefulset: StatefulSet, answer: Pods) -> bool:
    """Return whether a Pod has been ready for the set's minReadySeconds."""
    ready = pod.ready_since
    if ready is None:
        return pod.is_ready and not statefulset.spec.min_ready_seconds
    return (answer.listed_at - ready).total_seconds() >= statefulset.spec.min_ready_seconds


def _evict(world: World, pod: Pod) -> Decision:
    name, uid = pod.metadata.name, pod.metadata.uid
    if uid not in world.answers.evictions:
        return AskEviction(name, uid)
    refusal = world.answers.evictions[uid]
    return eviction_refusal(name, refusal) if refusal else EvictPod(name, uid)


def _needs_downtime(world: World, old: dict[int, Tracked]) -> Blocked:
    ordinal = max(old)
    pod = f"{world.key.name}-{ordinal}"
    others = ", ".join(f"{world.key.name}-{each}" for each in sorted(old, reverse=True)[1:9])
    then = f"; then, each when the last is ready: {others}" if others else ""
    return Blocked(
        Reason.NEEDS_DOWNTIME,
        f"the volume of claim {old[ordinal].name} has grown, but its node grows the filesystem "
        "only when it is mounted anew; set the annotation offline to evict, or, when the Pod may "
        f"restart, run: kubectl -n {world.key.namespace} delete pod {pod}{then}",
    )
