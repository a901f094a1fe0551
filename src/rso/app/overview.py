"""What a person wants to know about a set at one glance: plain data from a World."""

from typing import Literal

import msgspec

from rso.core import selector
from rso.core.actions import AskPods, Blocked, Decision, Done, SetStatus, Wait
from rso.core.claims import Tracked, largest_requests, named_claims, own_claims
from rso.core.model import ClaimTemplate, StatefulSet
from rso.core.names import WAITING, Phase
from rso.core.policy import Policy, Target, as_size, has_own_annotation, read_policy
from rso.core.quantity import InvalidQuantity, Size, format_bytes, read_bytes
from rso.core.world import World

Standing = Literal["Done", "Growing", "Waiting", "Blocked", "Absent", "Unmanaged"]
_HEADS: dict[str, Standing] = {
    "Done": "Done",
    "Growing": "Growing",
    "Waiting": "Waiting",
    "Blocked": "Blocked",
}


class TemplateOverview(msgspec.Struct, frozen=True, rename="camel"):
    """One claim template: its size, the size wanted, and how far its claims are.

    Sizes are quantities as text; `smallest` and `largest` are capacities, empty without any.
    """

    index: int
    name: str
    size: str
    wanted: str
    claims_done: int
    claims_total: int
    smallest: str
    largest: str


class Overview(msgspec.Struct, frozen=True, rename="camel"):
    """One set. `reason` is of the closed list or empty, `message` the sentence that explains."""

    namespace: str
    name: str
    phase: Standing
    reason: str
    message: str
    templates: tuple[TemplateOverview, ...]
    backups: tuple[str, ...]


def is_managed(world: World) -> bool:
    """Return whether a set asks for anything, or a backup asks something for it."""
    if world.statefulset is None:
        return is_absent(world)
    faults = any(each.fault for each in world.backups)
    return has_own_annotation(world.statefulset) or world.own_backup() is not None or faults


def is_absent(world: World) -> bool:
    """Return whether a set is away because of us."""
    is_away = world.statefulset is None or world.statefulset.metadata.is_deleting
    return is_away and any(each.phase is Phase.DELETING for each in world.backups)


def overview(world: World, decision: Decision) -> Overview:
    """Return what a person wants to know, from what was read and what is decided from it."""
    phase, reason, message = _standing(world, decision)
    return Overview(
        namespace=world.key.namespace,
        name=world.key.name,
        phase=phase,
        reason=reason,
        message=message,
        templates=_templates(world),
        backups=tuple(each.name for each in world.backups),
    )


def targets(world: World) -> tuple[Target, ...]:
    """Return the wanted sizes; those of the templates while the annotations have a fault."""
    statefulset = world.statefulset
    if statefulset is None:
        return ()
    policy = read_policy(statefulset, world.bounds, largest_requests(world))
    return policy.targets if isinstance(policy, Policy) else _as_they_are(statefulset)


def _standing(world: World, decision: Decision) -> tuple[Standing, str, str]:
    if is_absent(world):
        return "Absent", "", _absence(world)
    if not is_managed(world):
        return "Unmanaged", "", ""
    if isinstance(decision, Blocked):
        phase: Standing = "Waiting" if decision.reason in WAITING else "Blocked"
        return phase, decision.reason, decision.sentence
    if isinstance(decision, Wait) and decision.reason is not None:
        return "Waiting", decision.reason, decision.sentence
    if isinstance(decision, Done):
        return "Done", "", ""
    if isinstance(decision, SetStatus):
        return _told(decision.text)
    return _in_flight(world, decision)


def _in_flight(world: World, decision: Decision) -> tuple[Standing, str, str]:
    """Return what the operator last said, as only it can know; Done is then out of date."""
    phase, reason, message = _told(world.status)
    if phase == "Done":
        sentence = decision.sentence if isinstance(decision, Wait) else ""
        return "Growing", "", sentence
    return phase, reason, message


def _told(text: str) -> tuple[Standing, str, str]:
    """Return (phase, reason, sentence) of a status annotation."""
    head, _, rest = text.partition(": ")
    phase = _HEADS.get(head, "Done")
    if phase in ("Done", "Growing"):
        return phase, "", ""
    reason, colon, sentence = rest.partition(": ")
    return (phase, reason, sentence) if colon else (phase, "", rest)


def _absence(world: World) -> str:
    backup = next(each for each in world.backups if each.phase is Phase.DELETING)
    namespace, name = world.key
    return (
        f"it was deleted to be created again and is not back yet; backup {backup.name} holds it; "
        "a running operator brings it back within seconds, and so does: "
        f"rso resume {name} -n {namespace} --key-dir DIR"
    )


def _templates(world: World) -> tuple[TemplateOverview, ...]:
    wanted = targets(world)
    tracked = _claims(world, wanted)
    return tuple(
        _template(target, [each for each in tracked if each.target.index == target.index])
        for target in wanted
    )


def _claims(world: World, wanted: tuple[Target, ...]) -> tuple[Tracked, ...]:
    """Return the claims of the set; by their labels alone where no Pod list tells more."""
    policy = Policy(wanted, recreate=True, paused=False)
    found = own_claims(world, policy)
    if not isinstance(found, AskPods):
        return found
    statefulset = world.statefulset
    return tuple(
        each
        for each in named_claims(world, policy)
        if statefulset is not None and selector.has_labels(statefulset, each.claim)
    )


def _template(target: Target, claims: list[Tracked]) -> TemplateOverview:
    capacities = [each.capacity_bytes for each in claims if each.capacity_bytes]
    return TemplateOverview(
        index=target.index,
        name=target.name,
        size=target.current.text,
        wanted=target.claim.text,
        claims_done=sum(each.is_bound and each.is_done for each in claims),
        claims_total=len(claims),
        smallest=format_bytes(min(capacities)) if capacities else "",
        largest=format_bytes(max(capacities)) if capacities else "",
    )


def _as_they_are(statefulset: StatefulSet) -> tuple[Target, ...]:
    templates = enumerate(statefulset.spec.volume_claim_templates)
    return tuple(_as_it_is(index, template) for index, template in templates)


def _as_it_is(index: int, template: ClaimTemplate) -> Target:
    text = template.spec.resources.storage
    try:
        size = as_size(text, read_bytes(text))
    except InvalidQuantity:
        size = Size(0, text)
    return Target(index, template.name, size, size, size, is_wished=False)
