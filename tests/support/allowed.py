"""What a resizer may write, by value (O8): each leaf of a request's body is on a list, or named."""

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from rso.kube.transport import Request
from tests.support.faults import STATUS
from tests.support.history import State
from tests.support.sets import PREFIX

_SET = (
    "/metadata/uid",
    "/metadata/resourceVersion",
    "/metadata/managedFields",
    f"/metadata/annotations/{STATUS}",
    f"/metadata/annotations/{PREFIX}when-deleted",
    f"/metadata/annotations/{PREFIX}declared-*",
    "/spec/persistentVolumeClaimRetentionPolicy/whenDeleted",
)
_CLAIM = (
    "/metadata/resourceVersion",
    "/metadata/ownerReferences",
    f"/metadata/annotations/{PREFIX}grown-at",
    "/spec/resources/requests/storage",
)
_BACKUP = (
    "/metadata/resourceVersion",
    f"/metadata/labels/{PREFIX}phase",
    *(f"/metadata/annotations/{PREFIX}{key}" for key in ("attempt", "successor", "superseded-at")),
)
_PATCHES = {"statefulsets": _SET, "persistentvolumeclaims": _CLAIM, "configmaps": _BACKUP}
_OF_THE_WORKLOAD = ("statefulsets", "persistentvolumeclaims", "events")
_VERBS = {
    "statefulsets": ("patch", "create", "delete"),
    "persistentvolumeclaims": ("patch",),
    "configmaps": ("create", "patch", "delete"),
    "events": ("create", "patch"),
    "leases": ("create", "update"),
}
# What the server and Kubernetes' own controllers write into a claim.
_BY_KUBERNETES = (
    "/status*",
    "/metadata/resourceVersion",
    "/metadata/managedFields",
    "/metadata/generation",
    "/metadata/annotations/*kubernetes.io/*",
    "/metadata/finalizers",
    "/metadata/deletion*",  # O4 tells of a claim that goes
    "/spec/volumeName",
)


def strange_writes(request: Request, namespace: str) -> Iterator[str]:
    """Yield a sentence for all that a changing request has no business with.

    `namespace` is the set's; backups and the Lease belong elsewhere.
    """
    plural = request.resource.plural
    if request.verb not in _VERBS.get(plural, ()):
        yield "nothing of this kind is the resizer's"
    if (request.namespace == namespace) != (plural in _OF_THE_WORKLOAD):
        yield "it is in the wrong namespace"
    if request.verb == "patch" and plural in _PATCHES:
        body = json.loads(request.body or b"{}")
        for path in strange(body, _PATCHES[plural]):
            yield f"{path} is not the resizer's"
        yield from _unnoted(body)


def claim_changes(old: State, new: State) -> Iterator[str]:
    """Yield what has changed between two states of a claim although nobody may change it."""
    before, after = (dict(_leaves(each.object, "")) for each in (old, new))
    may_change = (*_BY_KUBERNETES, *_CLAIM)
    for path in sorted({*before, *after}):
        if before.get(path) != after.get(path) and not _is_listed(path, may_change):
            yield f"{path} of claim {new.name} has changed"


def strange(body: object, listed: tuple[str, ...]) -> Iterator[str]:
    """Yield the paths of a body's leaves that are on no list."""
    return (path for path, _ in _leaves(body, "") if not _is_listed(path, listed))


def _unnoted(body: dict[str, Any]) -> Iterator[str]:
    """Yield a complaint on a policy that is changed without a note of what it was."""
    policy = body.get("spec", {}).get("persistentVolumeClaimRetentionPolicy", {})
    note = body["metadata"].get("annotations", {}).get(f"{PREFIX}when-deleted")
    if policy.get("whenDeleted") == "Retain" and note != "Delete":
        yield "the policy is changed without a note"


def _is_listed(path: str, listed: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, each) for each in listed)


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    """Yield (path, value) of all that is not an object; a list is one value."""
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _leaves(each, f"{path}/{key}")
    else:
        yield path, value
