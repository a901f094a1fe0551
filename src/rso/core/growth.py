"""Steps 0a and 1: ask about the claims, then grow them, one patch at a time.

Nothing here depends on whether the set can be recreated: claims grow first, and nothing is
deleted before every patch was accepted (safety O10).
"""

from rso.core.actions import AskGrowth, Blocked, Decision, GrowClaim
from rso.core.claims import Tracked, answer_for, wants_more
from rso.core.names import GROWN_AT, Reason
from rso.core.quotas import quota_fault
from rso.core.refusals import claim_refusal
from rso.core.world import World


def grow(world: World, claims: tuple[Tracked, ...]) -> Decision | None:
    """Return the next growth of a claim, or what must be asked before; None: all are accepted."""
    for each in claims:
        if _may_be_lowered(each):
            return _refused(world, [each]) or _patch(each)
    growing = [each for each in claims if wants_more(each, world)]
    if not growing:
        return None
    return _gate(world, growing) or _patch(growing[0])


def _may_be_lowered(each: Tracked) -> bool:
    """Return whether an infeasible claim can follow a lowered wish (KEP-1790; safety O4)."""
    return (
        each.is_refused_by_controller
        and GROWN_AT in each.claim.metadata.annotations
        and each.capacity_bytes < each.wanted_bytes < each.request_bytes
    )


def _patch(each: Tracked) -> GrowClaim:
    version = each.claim.metadata.resource_version
    return GrowClaim(each.name, version, each.claim.request, each.target.claim.text)


def _gate(world: World, growing: list[Tracked]) -> Decision | None:
    """Step 0a: everything that could refuse a patch is asked before the first one."""
    for each in growing:
        if not each.claim.spec.storage_class_name:
            return Blocked(
                Reason.NO_CLASS,
                f"claim {each.name} has no storage class, so Kubernetes cannot expand it; "
                "move its data to a claim that has a class, or remove the wish",
            )
    unasked = {each.name: each.target.claim.text for each in growing if not answer_for(each, world)}
    if unasked:
        return AskGrowth(unasked, _classes(world, growing))
    return (
        _class_fault(world, growing)
        or _refused(world, growing)
        or quota_fault(
            world.answers.growth.quotas,
            [(each.claim, each.wanted_bytes) for each in growing],
        )
    )


def _classes(world: World, growing: list[Tracked]) -> tuple[str, ...]:
    """Return the classes to read; none in namespaced mode, where the dry run is the check."""
    if not world.bounds.reads_volumes:
        return ()
    return tuple(sorted({each.claim.spec.storage_class_name or "" for each in growing}))


def _class_fault(world: World, growing: list[Tracked]) -> Blocked | None:
    classes = world.answers.growth.classes
    for each in growing:
        name = each.claim.spec.storage_class_name or ""
        if name not in classes:
            continue
        found = classes[name]
        if found is None:
            return Blocked(
                Reason.NOT_EXPANDABLE,
                f"claim {each.name} names the storage class {name}, which does not exist; create "
                "the class again with allowVolumeExpansion: true",
            )
        if not found.allow_volume_expansion:
            return Blocked(
                Reason.NOT_EXPANDABLE,
                f"the storage class {name} of claim {each.name} does not allow expansion; if its "
                "driver can expand, set allowVolumeExpansion: true on the class",
            )
    return None


def _refused(world: World, growing: list[Tracked]) -> Blocked | None:
    for each in growing:
        answer = answer_for(each, world)
        if answer and answer.refusal:
            return claim_refusal(each.name, each.target.claim.text, answer.refusal)
    return None
