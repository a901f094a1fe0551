"""The quota of a namespace for the whole set: claims that each fit may not fit together."""

from collections.abc import Iterable

from rso.core.actions import Blocked
from rso.core.model import Claim, Quota
from rso.core.names import Reason
from rso.core.quantity import format_bytes, read_bytes

_TOTAL = "requests.storage"
_PER_CLASS = ".storageclass.storage.k8s.io/requests.storage"


def quota_fault(quotas: Iterable[Quota], claims: list[tuple[Claim, int]]) -> Blocked | None:
    """Return the quota that has no room for all `(claim, wanted bytes)` together.

    Source: `persistent_volume_claims.go` in Kubernetes' quota evaluator: a claim is charged with
    the larger of its request and its allocated resources. A quota with a scope counts only some
    claims (KEP-3751: those of a VolumeAttributesClass): each claim's dry run asks it.
    """
    for quota in quotas:
        if not quota.counts_all:
            continue
        for resource in quota.status.hard:
            more = sum(_more(claim, wanted) for claim, wanted in claims if _counts(resource, claim))
            left = _left(quota, resource)
            # A quota lowered below its use is negative: it refuses only what asks for more.
            if more > max(left, 0):
                return Blocked(
                    Reason.QUOTA_FULL,
                    f"all claims together need {format_bytes(more)} more, but {resource} of the "
                    f"quota {quota.metadata.name} has {format_bytes(max(left, 0))} left; raise "
                    "the quota or lower the wish",
                )
    return None


def _counts(resource: str, claim: Claim) -> bool:
    if resource == _TOTAL:
        return True
    return resource == f"{claim.spec.storage_class_name}{_PER_CLASS}"


def _more(claim: Claim, wanted: int) -> int:
    allocated = claim.status.allocated_resources.get("storage", "0")
    charged = max(read_bytes(claim.request), read_bytes(allocated))
    return max(wanted - charged, 0)


def _left(quota: Quota, resource: str) -> int:
    hard = read_bytes(quota.status.hard[resource])
    return hard - read_bytes(quota.status.used.get(resource, "0"))
