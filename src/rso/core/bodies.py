"""The bodies of the changing requests: pure, so that `rso plan` shows what would be sent.

Claims and sets are changed by merge patches that carry the resourceVersion: a stale one is
answered 409, while a failed `test` of a JSON patch would be a 422 like a refusal.
"""

from datetime import datetime
from typing import Any

from rso.core import names
from rso.core.actions import GrowClaim, RestorePolicy, SetRetain, SetStatus
from rso.core.names import Phase
from rso.core.times import format_time

Json = dict[str, Any]


def grow_claim(step: GrowClaim, now: datetime) -> Json:
    """Return the patch of a claim: its request and when it last grew."""
    annotations = {names.GROWN_AT: format_time(now)}
    return {
        **_versioned(step.resource_version, annotations),
        "spec": {"resources": {"requests": {"storage": step.new}}},
    }


def dry_growth(resource_version: str, size: str) -> Json:
    """Return the patch that asks, dry, whether a claim may have this size."""
    return {
        "metadata": {"resourceVersion": resource_version},
        "spec": {"resources": {"requests": {"storage": size}}},
    }


def set_status(step: SetStatus, uid: str) -> Json:
    """Return the patch of the status annotation; an empty text removes it.

    Of the set of this uid only: a set that took the name meanwhile answers 409.
    """
    return {"metadata": {"uid": uid, "annotations": {names.STATUS: step.text or None}}}


def automatic_wish(annotations: dict[str, str | None], uid: str, resource_version: str) -> Json:
    """Return the patch of the autoscaler's own annotations; None removes one.

    Of the set as it was judged only: whoever changed it since, or took its name, makes it a 409.
    """
    metadata = {"uid": uid, "resourceVersion": resource_version, "annotations": annotations}
    return {"metadata": metadata}


def set_retain(step: SetRetain) -> Json:
    """Return the patch that keeps the claims, and notes in the same request what to restore."""
    return {
        **_versioned(step.resource_version, {names.WHEN_DELETED: "Delete"}),
        "spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain"}},
    }


def restore_policy(step: RestorePolicy) -> Json:
    """Return the patch that puts the policy back; the note stays until the field is given away."""
    return {
        "metadata": {"resourceVersion": step.resource_version},
        "spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": step.when_deleted}},
    }


def policy_restored(entries: list[Json] | None, resource_version: str) -> Json:
    """Return the patch that removes the note, and gives the policy's field away with it.

    In one request: a crash before it leaves the note, so that the next look does both.
    """
    body = _versioned(resource_version, {names.WHEN_DELETED: None})
    if entries is not None:
        body["metadata"]["managedFields"] = entries or [{}]
    return body


def owner_references(live: Json, uids: tuple[str, ...]) -> Json:
    """Return the patch of a claim, as read, without its references to these uids."""
    metadata = live["metadata"]
    kept = [each for each in metadata.get("ownerReferences") or [] if each["uid"] not in uids]
    version = metadata["resourceVersion"]
    return {"metadata": {"resourceVersion": version, "ownerReferences": kept or None}}


def managed_fields(entries: list[Json], resource_version: str) -> Json:
    """Return the patch of the field managers; no managers at all are written as one empty entry."""
    return {"metadata": {"resourceVersion": resource_version, "managedFields": entries or [{}]}}


def backup_deleting(resource_version: str, attempt: str) -> Json:
    """Return the patch that says of a backup: from here on its set may be absent.

    The attempt makes each patch a change, so that two operators by mistake notice each other:
    the version that one knows is then not the other's.
    """
    metadata = {
        "resourceVersion": resource_version,
        "labels": {names.PHASE_LABEL: Phase.DELETING.value},
        "annotations": {names.ATTEMPT: attempt},
    }
    return {"metadata": metadata}


def backup_superseded(resource_version: str, now: datetime, successor: str) -> Json:
    """Return the patch that says of a backup: nothing is created from it any more.

    `successor` is the uid of the set that was; empty when somebody else took the name.
    """
    metadata = {
        "resourceVersion": resource_version,
        "labels": {names.PHASE_LABEL: Phase.SUPERSEDED.value},
        "annotations": {
            names.SUPERSEDED_AT: format_time(now),
            names.SUCCESSOR: successor or None,
        },
    }
    return {"metadata": metadata}


def _versioned(resource_version: str, annotations: dict[str, str] | dict[str, None]) -> Json:
    return {"metadata": {"resourceVersion": resource_version, "annotations": annotations}}
