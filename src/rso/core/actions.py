"""What `plan` may decide: one next step, a question, a wait, a refusal, or nothing to do.

Every step is one changing request, but `Replace`: from its DELETE to its CREATE no decision is
made, because a set that is absent must come back whatever the caches show.
"""

from datetime import datetime
from typing import Any

import msgspec

from rso.core.names import Note, Reason


class Decision(msgspec.Struct, frozen=True, tag=True):
    """One outcome of `plan`."""


# Questions: what no cache holds


class AskGrowth(Decision, frozen=True):
    """Ask, dry, whether claims may grow: `{claim: size text}`, and the quotas of the namespace."""

    sizes: dict[str, str]
    classes: tuple[str, ...]


class AskPods(Decision, frozen=True):
    """Ask for the Pods of the set."""


class AskLive(Decision, frozen=True):
    """Ask for the whole set."""


class AskProof(Decision, frozen=True):
    """Ask whether the recreate with these template sizes would be accepted: `{template: size}`."""

    sizes: dict[str, str]


class AskBackup(Decision, frozen=True):
    """Ask for the content of a backup."""

    name: str


class AskWitness(Decision, frozen=True):
    """Ask whether the newest revision that an absent set left agrees with its opened backup."""

    backup: str


class AskEviction(Decision, frozen=True):
    """Ask, dry, whether the Pod of this uid may be evicted."""

    pod: str
    uid: str


Ask = AskGrowth | AskPods | AskLive | AskProof | AskBackup | AskWitness | AskEviction


# Steps: each is one changing request


class Step(Decision, frozen=True):
    """Something to do in the cluster."""


class SetStatus(Step, frozen=True):
    """Write the status annotation of the set."""

    text: str


class GrowClaim(Step, frozen=True):
    """Raise the request of a claim; lower it only to leave an infeasible one (KEP-1790)."""

    claim: str
    resource_version: str
    old: str
    new: str


class SetRetain(Step, frozen=True):
    """Keep the claims while the set is away: `whenDeleted` becomes Retain, noted on the set."""

    resource_version: str


class RenewGeneration(Step, frozen=True):
    """Raise the generation of a set above what its status claims to have observed.

    A status write for the old set can land on the new one and leave `observedGeneration` ahead;
    the controller then never corrects it, and the Retain step could not tell when it was seen.
    """

    resource_version: str


class RestorePolicy(Step, frozen=True):
    """Put `whenDeleted` back from the annotation."""

    when_deleted: str
    resource_version: str


class Unreference(Step, frozen=True):
    """Remove from a claim the references to sets of these uids."""

    claim: str
    resource_version: str
    uids: tuple[str, ...]


class SaveBackup(Step, frozen=True):
    """Seal the whole set into a backup, read it back, compare."""

    uid: str
    sizes: dict[str, str]


class Replace(Step, frozen=True):
    """Label the backup, orphan-delete the set, create it again with its field managers."""

    backup: str
    uid: str


class Recreate(Step, frozen=True):
    """Create an absent set from its backup."""

    backup: str


class Supersede(Step, frozen=True):
    """Label a backup as no longer to be created from.

    `successor` is the uid of the set that we created from it; empty when the name was taken by
    somebody else.
    """

    backup: str
    successor: str


class RestoreManagers(Step, frozen=True):
    """Give the fields of the new set back to the managers that the backup names."""

    backup: str
    uid: str


class DropBackup(Step, frozen=True):
    """Delete a backup, and say why."""

    backup: str
    note: Note
    sentence: str


class EvictPod(Step, frozen=True):
    """Evict the Pod of this uid, so that its claims are mounted anew; the set makes it again."""

    pod: str
    uid: str


# No step


class Wait(Decision, frozen=True):
    """Nothing to do yet.

    `seconds` is when to look again; None: the next change of an object tells. A wait without a
    reason changes no status. `is_turn`: another set is absent; whoever ends that tells. `alert` is
    what a person must hear of meanwhile, once.
    """

    sentence: str
    reason: Reason | None = None
    seconds: float | None = None
    is_turn: bool = False
    alert: str = ""


class Blocked(Decision, frozen=True):
    """Refused: a person has to act. Looked at again with backoff."""

    reason: Reason
    sentence: str


class Done(Decision, frozen=True):
    """Everything wished for is there."""


def describe(step: Step) -> dict[str, Any]:
    """Return a step as plain data, for people and JSON."""
    fields = msgspec.to_builtins(step)
    return {"step": fields.pop("type"), **fields}


def is_older(moment: datetime | None, now: datetime, seconds: float) -> bool:
    """Return whether a moment is known and lies more than so many seconds back."""
    return moment is not None and (now - moment).total_seconds() > seconds
