"""The autoscaler's decision: from samples, claims and policy to a wish, or the reason for none.

Pure, and without a memory: what a rule must know across a restart stands in the cluster. When a
claim last grew is its annotation `grown-at`; the steps of a day are `auto-steps-{i}` of the set,
written with the wish in one request.

One wish serves all claims of a template. So a claim that is growing holds the others, while one
whose samples nobody believes holds nobody: a dead node hides only its own volumes.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from rso.core import names, selector
from rso.core.claims import Tracked
from rso.core.faults import Fault
from rso.core.judge import Change as Change  # noqa: PLC0414  a part of what is returned
from rso.core.judge import Judged as Judged  # noqa: PLC0414  likewise
from rso.core.judge import Limits, Outcome, Template, wish_of
from rso.core.model import Claim, OwnAnnotations, StatefulSet
from rso.core.names import Hold
from rso.core.policy import Target, read_policy
from rso.core.scaling import Scaling, read_scaling
from rso.core.steps import noted
from rso.core.trust import Watched, watch
from rso.core.usage import Sample


class Usage(msgspec.Struct, frozen=True):
    """A claim with its latest samples, newest last; from before a restart there are none.

    `volume_bytes` is the size of its volume, 0 where volumes cannot be read. `is_mounted` says
    that a Pod of the set mounts it: so it belongs to the set even without the labels.
    `quiet_since` is when it was first seen without a resize (settling.py); None: nobody noted it.
    """

    claim: Claim
    samples: tuple[Sample, ...] = ()
    volume_bytes: int = 0
    is_mounted: bool = False
    quiet_since: datetime | None = None


class Scaled(msgspec.Struct, frozen=True):
    """What becomes of a set; `annotations` are to be written in one request, None removes."""

    outcomes: tuple[Outcome, ...]
    annotations: dict[str, str | None]


def decide(
    statefulset: StatefulSet, usages: Sequence[Usage], limits: Limits, now: datetime
) -> Scaled | Fault:
    """Return what an auto-scaled set needs now; a Fault when its annotations cannot be followed.

    `usages` may hold claims of others: those that do not belong to the set count for nothing.
    Raises: InvalidQuantity, when an object holds a size that cannot be read.
    """
    scaling = read_scaling(statefulset.metadata.annotations, limits.defaults)
    if isinstance(scaling, Fault):
        return scaling
    policy = read_policy(_without_wishes(statefulset), limits.bounds, {})
    if isinstance(policy, Fault):
        return policy
    if policy.paused:
        paused = [Outcome(each.index, each.name, Hold.PAUSED) for each in policy.targets]
        return Scaled(tuple(paused), {})
    annotations = _strays(statefulset)
    outcomes = []
    for target in policy.targets:
        watched = list(_watched(statefulset, target, usages))
        template = Template(statefulset, target, watched, scaling, limits, now)
        outcome = template.outcome()
        annotations |= _written(outcome, template)
        outcomes.append(outcome)
    return Scaled(tuple(outcomes), annotations)


def samples_needed(statefulset: StatefulSet, defaults: Scaling) -> int:
    """Return how many of the latest samples of each claim a decision may look at."""
    scaling = read_scaling(statefulset.metadata.annotations, defaults)
    return 2 if isinstance(scaling, Fault) else max(2, scaling.checks)


def _watched(
    statefulset: StatefulSet, target: Target, usages: Sequence[Usage]
) -> Iterator[Watched]:
    """Yield the claims of one template that belong to the set and are not going."""
    stem = f"{target.name}-{statefulset.metadata.name}"
    with_pods = selector.ordinals(statefulset)
    for usage in usages:
        claim = usage.claim
        found, ordinal = selector.split_ordinal(claim.metadata.name) or ("", 0)
        if found != stem or claim.metadata.is_deleting:
            continue
        if usage.is_mounted or selector.has_labels(statefulset, claim):
            tracked = Tracked(claim, target, ordinal, ordinal in with_pods)
            yield watch(tracked, usage.samples, usage.volume_bytes, usage.quiet_since)


def _without_wishes(statefulset: StatefulSet) -> StatefulSet:
    """Return the set as if the autoscaler had never wished: its own faults it mends itself."""
    kept = OwnAnnotations(
        (key, text)
        for key, text in statefulset.metadata.annotations.items()
        if not key.startswith(names.AUTO_WISH)
    )
    return replace(statefulset, metadata=replace(statefulset.metadata, annotations=kept))


def _strays(statefulset: StatefulSet) -> dict[str, str | None]:
    """Return the removal of wishes that nobody can read or that name no claim template."""
    annotations = statefulset.metadata.annotations
    count = len(statefulset.spec.volume_claim_templates)
    known = {f"{names.AUTO_WISH}{index}": index for index in range(count)}
    wishes = [key for key in annotations if key.startswith(names.AUTO_WISH)]
    return {
        key: None for key in wishes if key not in known or wish_of(annotations, known[key]) is None
    }


def _written(outcome: Outcome, template: Template) -> dict[str, str | None]:
    """Return the annotations that an outcome writes; a step is noted with its wish."""
    key = f"{names.AUTO_WISH}{outcome.index}"
    match outcome.change:
        case Change.RAISE:
            steps = noted(template.noted, template.now, template.scaling.steps_per_day)
            return {key: outcome.size, f"{names.AUTO_STEPS}{outcome.index}": steps}
        case Change.LOWER:
            return {key: outcome.size}
        case Change.WITHDRAW:
            return {key: None}
        case _:
            return {}
