"""What an API server's refusal means, in one of our reasons and a sentence.

A refused claim is quoted: nothing of the set is in it. A refused set is not: the message may hold
values of its Pod template, and no part of a set goes into a status or a log (safety O11).
"""

import re

from rso.core.actions import Blocked, Wait
from rso.core.names import Reason
from rso.core.world import Refusal

_QUOTED = 300  # characters of a server's message that a sentence repeats
_WHO = re.compile(
    r"admission webhook \"([a-z0-9.-]{1,253})\"|ValidatingAdmissionPolicy '([a-z0-9.-]{1,253})'",
    re.ASCII,
)


def is_quota(refusal: Refusal) -> bool:
    """Return whether a ResourceQuota refused.

    Source: `resourcequota/controller.go` in Kubernetes' apiserver.
    """
    return refusal.code == 403 and "exceeded quota" in refusal.message  # noqa: PLR2004  Forbidden


def is_namespace_gone(refusal: Refusal) -> bool:
    """Return whether the namespace itself is being deleted, or is gone."""
    if "NamespaceTerminating" in refusal.causes:
        return True
    return refusal.code == 404 and "namespaces" in refusal.message  # noqa: PLR2004  NotFound


def claim_refusal(claim: str, size: str, refusal: Refusal) -> Blocked:
    """Return why a claim may not grow; safety O10: never followed by a delete."""
    said = ascii(refusal.message[:_QUOTED])
    if is_quota(refusal):
        return Blocked(
            Reason.QUOTA_FULL,
            f"claim {claim} cannot grow to {size} within the namespace's quota: {said}; raise "
            "the ResourceQuota or lower the wish",
        )
    if "only dynamically provisioned pvc can be resized" in refusal.message:
        return Blocked(
            Reason.NOT_EXPANDABLE,
            f"the storage class of claim {claim} does not allow expansion, or does not exist; if "
            "its driver can expand, set allowVolumeExpansion: true on the class",
        )
    return Blocked(
        Reason.ADMISSION_REFUSES,
        f"the API server refuses {size} for claim {claim} with {refusal.code}: {said}; change "
        "what refuses it, or lower the wish",
    )


def create_refusal(name: str, refusal: Refusal) -> Blocked:
    """Return why the set could not be created again; the claims have grown."""
    if is_quota(refusal):
        return Blocked(
            Reason.QUOTA_FULL,
            "the claims have grown, but the quota for StatefulSets of this namespace is full, so "
            "the set could not be created again; raise count/statefulsets.apps by one",
        )
    if is_namespace_gone(refusal):
        return Blocked(
            Reason.ADMISSION_REFUSES,
            "the claims have grown, but the namespace is being deleted, so the set could not be "
            "created again; it goes with its namespace",
        )
    if is_dry_run_unsupported(refusal):
        return Blocked(
            Reason.CANNOT_PROVE,
            f"the claims have grown, but {_who(refusal)} does not support dry runs, so nobody can "
            "say whether it would accept the set again; declare sideEffects: None on it, or set "
            "the annotation recreate to false",
        )
    return Blocked(
        Reason.ADMISSION_REFUSES,
        f"the claims have grown, but creating the set again would be refused with {refusal.code} "
        f"by {_who(refusal)}{_where(refusal)}; `rso plan {name}` shows the whole message",
    )


def delete_refusal(name: str, refusal: Refusal) -> Blocked:
    """Return why the set could not be deleted; the claims have grown."""
    return Blocked(
        Reason.ADMISSION_REFUSES,
        f"the claims have grown, but deleting the set, whose Pods would stay, is refused with "
        f"{refusal.code} by {_who(refusal)}; allow it to the operator, or set the annotation "
        f"recreate to false; `rso plan {name}` shows the whole message",
    )


def eviction_refusal(pod: str, refusal: Refusal) -> Blocked | Wait:
    """Return why a Pod is not evicted, and what ends that."""
    if refusal.code == 429:  # noqa: PLR2004  TooManyRequests: what a budget answers, too
        return Wait(
            f"a PodDisruptionBudget does not allow Pod {pod} to be evicted now, and its filesystem "
            "grows only when it is mounted anew; it is tried again",
            Reason.CANNOT_EVICT,
            1.0,
        )
    return Blocked(
        Reason.CANNOT_EVICT,
        f"Pod {pod} has to be evicted so that its filesystem grows, and that is refused with "
        f"{refusal.code}: {refusal.message[:_QUOTED]!a}; allow it, or delete the Pod yourself",
    )


def is_dry_run_unsupported(refusal: Refusal) -> bool:
    """Return whether a webhook with side effects answered (kubernetes.md D4)."""
    return refusal.code == 400 and "dry run" in refusal.message  # noqa: PLR2004  BadRequest


def _who(refusal: Refusal) -> str:
    match = _WHO.search(refusal.message)
    if match is None:
        return "the API server"
    return f"the webhook {match[1]}" if match[1] else f"the policy {match[2]}"


def _where(refusal: Refusal) -> str:
    fields = ", ".join(refusal.fields[:5])
    return f" because of {ascii(fields)[1:-1]}" if fields else ""
