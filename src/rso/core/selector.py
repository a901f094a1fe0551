"""Which claim belongs to which set.

A claim's name is `<template>-<set>-<ordinal>` (`getPersistentVolumeClaimName` in Kubernetes'
`stateful_set_utils.go`). Names alone are ambiguous: `data-a-b-0` is template `data` of set `a-b`
and template `data-a` of set `b`. So a claim belongs by its exact name and, besides, by the
selector's labels or by a Pod of the set that mounts it.
"""

import re
from collections.abc import Iterable, Iterator

from rso.core.model import Claim, StatefulSet
from rso.core.pods import Pod

_ORDINAL = re.compile(r"(.+)-(0|[1-9][0-9]{0,9})", re.ASCII | re.DOTALL)


def claim_name(template: str, statefulset: str, ordinal: int) -> str:
    """Return the name that the StatefulSet controller gives a claim."""
    return f"{template}-{statefulset}-{ordinal}"


def split_ordinal(name: str) -> tuple[str, int] | None:
    """Return (stem, ordinal) of the name of a claim or Pod; None when it has no ordinal."""
    match = _ORDINAL.fullmatch(name)
    return (match[1], int(match[2])) if match else None


def possible_owners(claim: str) -> Iterator[str]:
    """Yield each name that the set of this claim could have, by the claim's name alone."""
    parts = split_ordinal(claim)
    if parts is None:
        return
    stem = parts[0]
    at = stem.find("-")
    while at != -1:
        if stem[:at] and stem[at + 1 :]:
            yield stem[at + 1 :]
        at = stem.find("-", at + 1)


def has_labels(statefulset: StatefulSet, claim: Claim) -> bool:
    """Return whether the claim carries the labels that the controller gives its claims."""
    wanted = statefulset.spec.selector.match_labels
    labels = claim.metadata.labels
    return bool(wanted) and all(labels.get(key) == text for key, text in wanted.items())


def is_mounted(claim: Claim, pods: Iterable[Pod]) -> bool:
    """Return whether one of the Pods uses the claim."""
    return any(pod.mounts(claim.metadata.name) for pod in pods)


def ordinals(statefulset: StatefulSet) -> range:
    """Return the ordinals that have a Pod; claims of others are left from a scale-down."""
    start = statefulset.spec.ordinals.start
    return range(start, start + statefulset.spec.replicas)


def pods_of(statefulset: StatefulSet, pods: Iterable[Pod]) -> dict[int, Pod]:
    """Return {ordinal: Pod} of the Pods that bear the set's name.

    Source: `getParentNameAndOrdinal` in `stateful_set_utils.go`.
    """
    found: dict[int, Pod] = {}
    for pod in pods:
        parts = split_ordinal(pod.metadata.name)
        if parts and parts[0] == statefulset.metadata.name:
            found[parts[1]] = pod
    return found
