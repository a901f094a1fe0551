"""A quiet, obedient cluster, played: its objects and what its controllers do to them.

The whole set is the source: a patch edits its JSON, and the trimmed model is decoded from it, so
that both tell the same. It is carried in `answers.live`, the Pods in `answers.pods`. What a world
does not carry is made up as the simplest thing that fits. resourceVersions only rise.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from rso.core import selector
from rso.core.model import (
    Claim,
    Condition,
    OwnerReference,
    StatefulSet,
    decode_hook,
)
from rso.core.names import ORPHAN, is_ours
from rso.core.pods import ClaimSource, Pod, PodMetadata, PodSpec, PodStatus, PodVolume
from rso.core.quantity import read_bytes
from rso.core.world import Live, Pods, World

Json = dict[str, Any]
Kind = TypeVar("Kind", Claim, StatefulSet)

_POD_AGE = timedelta(hours=1)  # of Pods that are made up: old enough to be quiet
_RUNNING = PodStatus("Running", (Condition("Ready", "True"),))
_POLICY = "persistentVolumeClaimRetentionPolicy"


def whole(statefulset: StatefulSet, world: World) -> Json:
    """Return the whole set: as it was last read, with what the cache shows by now."""
    answers = world.answers
    read = (answers.live, answers.proof.live if answers.proof else None)
    known = [each for each in read if each and each.uid == statefulset.metadata.uid]
    return as_cached(known[0].object, statefulset) if known else _made_up(statefulset)


def as_cached(live: Json, statefulset: StatefulSet) -> Json:
    """Return a whole set with the version, the policy and our annotations of the cached one."""
    cached = msgspec.to_builtins(statefulset)
    annotations = live["metadata"].get("annotations") or {}
    others = {key: text for key, text in annotations.items() if not is_ours(key)}
    metadata = {**live["metadata"], "annotations": others | cached["metadata"]["annotations"]}
    for key in ("resourceVersion", "generation", "deletionTimestamp", "finalizers"):
        metadata.pop(key, None)
        if cached["metadata"][key]:
            metadata[key] = cached["metadata"][key]
    spec = live["spec"]
    kept = spec.get(_POLICY, {})
    if cached["spec"][_POLICY]["whenDeleted"] != kept.get("whenDeleted", "Retain"):
        spec = {**spec, _POLICY: {**kept, **cached["spec"][_POLICY]}}
    return {**live, "metadata": metadata, "spec": spec}


def living(world: World) -> StatefulSet:
    """Return the set that lives.

    Raises: LookupError, when there is none.
    """
    if world.statefulset is None:
        raise LookupError(f"there is no set {world.key}")
    return world.statefulset


def with_set(world: World, live: Json, status: Json) -> World:
    """Return the world in which this whole set lives."""
    statefulset = _decoded({**live, "status": status}, StatefulSet)
    answers = replace(world.answers, live=Live(live))
    return replace(world, statefulset=statefulset, answers=answers)


def patch_set(world: World, body: Json) -> World:
    """Return the world after a merge patch of the set, which its controller sees at once."""
    statefulset = living(world)
    metadata = statefulset.metadata
    generation = metadata.generation + ("spec" in body)
    version = {"resourceVersion": next_version(world), "generation": generation}
    live = _merged(_merged(whole(statefulset, world), body), {"metadata": version})
    status = msgspec.to_builtins(statefulset.status)
    if statefulset.status.observed_generation >= metadata.generation:
        # The controller never corrects one that is ahead.
        status["observedGeneration"] = max(statefulset.status.observed_generation, generation)
    return with_set(world, live, status)


def patch_claim(world: World, name: str, body: Callable[[Json], Json]) -> World:
    """Return the world after a merge patch of a claim; `body` makes it from the claim's JSON."""
    version = {"metadata": {"resourceVersion": next_version(world)}}

    def patched(claim: Claim) -> Claim:
        live = msgspec.to_builtins(claim)
        return _decoded(_merged(_merged(live, body(live)), version), Claim)

    claims = (patched(each) if each.metadata.name == name else each for each in world.claims)
    return replace(world, claims=tuple(claims))


def begin_deletion(world: World) -> World:
    """Return the world in which an orphan delete of the set has been accepted."""
    metadata = {"deletionTimestamp": world.now.isoformat(), "finalizers": [ORPHAN]}
    return patch_set(world, {"metadata": metadata})


def end_deletion(world: World) -> World:
    """Return the world without the set: its Pods and claims stay, and name it as owner no more."""
    uid = living(world).metadata.uid
    pods = world.answers.pods
    if pods is not None:
        pods = replace(pods, pods=tuple(_orphaned(each, uid) for each in pods.pods))
    return replace(
        world,
        statefulset=None,
        claims=tuple(_orphaned(each, uid) for each in world.claims),
        answers=replace(world.answers, pods=pods, live=None),
    )


def settle(world: World) -> World:
    """Return the world after a while in which nobody asks for anything.

    An orphan delete ends, the StatefulSet controller sees each change, its update ends, its Pods
    are all there and its own; claims reach what they ask for; no other set is absent.
    """
    statefulset = world.statefulset
    if statefulset is None:
        return world
    if statefulset.metadata.is_deleting:
        return end_deletion(world)
    status = replace(
        statefulset.status,
        observed_generation=statefulset.metadata.generation,
        current_revision=statefulset.status.update_revision,
    )
    pods = quiet_pods(world, statefulset) if world.answers.pods else None
    return replace(
        world,
        statefulset=replace(statefulset, status=status),
        claims=tuple(settled_claim(each) for each in world.claims),
        has_turn=True,
        answers=replace(world.answers, pods=pods),
    )


def settled_claim(claim: Claim) -> Claim:
    """Return a claim whose storage has done what it asks for; only a bound one has storage."""
    is_growing = claim.status.resize_status or claim.status.conditions
    is_small = not claim.capacity or read_bytes(claim.capacity) < read_bytes(claim.request)
    if claim.status.phase != "Bound" or not (is_growing or is_small):
        return claim
    status = replace(
        claim.status,
        capacity={**claim.status.capacity, "storage": claim.request}
        if is_small
        else claim.status.capacity,
        allocated_resource_statuses={},
        conditions=(),
    )
    return replace(claim, status=status)


def quiet_pods(world: World, statefulset: StatefulSet) -> Pods:
    """Return the Pods that a quiet set has: one for each ordinal, its own, not just made."""
    known = world.answers.pods.pods if world.answers.pods else ()
    named = selector.pods_of(statefulset, known)
    pods = (
        _quiet(named.get(ordinal) or _made_up_pod(statefulset, ordinal), statefulset, world)
        for ordinal in selector.ordinals(statefulset)
    )
    version = statefulset.metadata.resource_version
    return Pods(version, world.now, world.now, tuple(pods))


def restarted(pod: Pod) -> Pod:
    """Return the Pod that takes the place of one that was evicted, ready."""
    metadata = replace(pod.metadata, uid=f"{pod.metadata.uid}-next")
    return replace(pod, metadata=metadata, status=_RUNNING)


def next_version(world: World) -> str:
    """Return a resourceVersion above each in this world."""
    answers = world.answers
    read = (answers.live, answers.proof.live if answers.proof else None)
    versions = [
        *(each.metadata.resource_version for each in world.claims),
        *(each.resource_version for each in world.backups),
        *(each.resource_version for each in read if each),
    ]
    if world.statefulset is not None:
        versions.append(world.statefulset.metadata.resource_version)
    return str(1 + max((int(each) for each in versions if each.isdecimal()), default=0))


def _merged(live: Json, body: Json) -> Json:
    """Return JSON after a merge patch (RFC 7396)."""
    merged = dict(live)
    for key, value in body.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = _merged(merged.get(key) or {}, value)
        else:
            merged[key] = value
    return merged


def _decoded(live: Json, kind: type[Kind]) -> Kind:
    return msgspec.convert(live, kind, dec_hook=decode_hook)


def _made_up(statefulset: StatefulSet) -> Json:
    """Return a whole set around what the cache knows; the Pod template is the least one."""
    live: Json = msgspec.to_builtins(statefulset)
    template = {"metadata": {"labels": live["spec"]["selector"]["matchLabels"]}, "spec": {}}
    del live["status"]
    return {**live, "spec": {**live["spec"], "template": template}}


def _made_up_pod(statefulset: StatefulSet, ordinal: int) -> Pod:
    name = f"{statefulset.metadata.name}-{ordinal}"
    mounted = [
        selector.claim_name(each.name, statefulset.metadata.name, ordinal)
        for each in statefulset.spec.volume_claim_templates
    ]
    volumes = (PodVolume(each, ClaimSource(each)) for each in mounted)
    metadata = PodMetadata(name, statefulset.metadata.namespace, f"uid-of-{name}")
    return Pod(metadata, PodSpec(tuple(volumes)), _RUNNING)


def _quiet(pod: Pod, statefulset: StatefulSet, world: World) -> Pod:
    owner = OwnerReference(
        "StatefulSet", statefulset.metadata.name, statefulset.metadata.uid, controller=True
    )
    metadata = replace(
        pod.metadata,
        creation_timestamp=world.now - _POD_AGE,
        deletion_timestamp=None,
        owner_references=(owner,),
        managed_fields=(),
    )
    return replace(pod, metadata=metadata)


Owned = TypeVar("Owned", Claim, Pod)


def _orphaned(owned: Owned, uid: str) -> Owned:
    owners = owned.metadata.owner_references
    kept = tuple(each for each in owners if each.uid != uid)
    return replace(owned, metadata=replace(owned.metadata, owner_references=kept))
