"""Writes a wish as a person would, and follows what the operator makes of it."""

from collections.abc import AsyncGenerator, Callable

from msgspec.structs import replace

from rso.app import resources
from rso.app.overview import Overview, is_managed, overview
from rso.app.tools import Observer
from rso.core.claims import largest_requests
from rso.core.model import OwnAnnotations, StatefulSet
from rso.core.policy import Fault, Target, read_policy
from rso.core.world import Key, World
from rso.kube.client import Client
from rso.kube.errors import Conflict, ServerError, Unreachable

ATTEMPTS = 5  # the StatefulSet controller writes status at any time
LOOK_SECONDS = 1.0
# Until then a refusal that stood before the wish may only not have been looked at again.
STALE_SECONDS = 10.0


class Vanished(Exception):
    """The set is gone, and no backup says that it is away because of us."""


def fault_of(world: World, annotations: OwnAnnotations) -> Fault | tuple[Target, ...]:
    """Return the sizes that a set with these annotations wants, or why it cannot."""
    statefulset = world.statefulset
    if statefulset is None:
        return ()
    metadata = replace(statefulset.metadata, annotations=annotations)
    wishing = replace(statefulset, metadata=metadata)
    policy = read_policy(wishing, world.bounds, largest_requests(world))
    return policy if isinstance(policy, Fault) else policy.targets


async def write_wish(
    client: Client,
    observer: Observer,
    key: Key,
    annotations: Callable[[StatefulSet], dict[str, str]],
) -> None:
    """Write annotations, made from the set as it is when they are written.

    Raises: Vanished; Conflict, when the set does not hold still; whatever `annotations` raises.
    """
    for _ in range(ATTEMPTS):
        statefulset = observer.view.statefulset(key)
        if statefulset is None:
            raise Vanished(f"StatefulSet {key} was deleted meanwhile")
        version = statefulset.metadata.resource_version
        metadata = {"resourceVersion": version, "annotations": annotations(statefulset)}
        try:
            await client.patch(resources.STATEFULSETS, *key, {"metadata": metadata})
        except Conflict:
            await observer.view.read_set(key)
        else:
            return
    raise Conflict(409, "Conflict", f"StatefulSet {key} changes all the time; try again")


async def glance(observer: Observer, key: Key) -> Overview | None:
    """Return a set as it is now; None when it is gone.

    Raises: whatever a request raises.
    """
    await observer.view.read_set(key)
    world, decision = await observer.look(key)
    if world.statefulset is None and not is_managed(world):
        return None
    return overview(replace(world, claims=observer.view.claims(key)), decision)


async def follow(observer: Observer, key: Key, before: Overview) -> AsyncGenerator[Overview, None]:
    """Yield the set as it is, again and again; `before` is how it was without the wish.

    A server that is away for a while is waited for, as the operator waits.
    Raises: Vanished; whatever else a request raises.
    """
    clock = observer.clock
    began = clock.monotonic()
    is_missing = False
    while True:
        try:
            now = await glance(observer, key)
        except (ServerError, Unreachable):
            continue  # the client has waited between its attempts
        if now is None:
            # Set and backups are two requests: one look may fall between them.
            if is_missing and not observer.view.gaps:
                raise Vanished(f"StatefulSet {key} was deleted meanwhile")
            is_missing = True
        else:
            is_missing = False
            is_young = clock.monotonic() - began < STALE_SECONDS
            yield _unsettled(now) if is_young and _is_same_refusal(now, before) else now
        await clock.sleep(LOOK_SECONDS)


def _is_same_refusal(now: Overview, before: Overview) -> bool:
    told = (now.phase, now.reason, now.message)
    return now.phase == "Blocked" and told == (before.phase, before.reason, before.message)


def _unsettled(now: Overview) -> Overview:
    return replace(now, phase="Growing", reason="", message="")
