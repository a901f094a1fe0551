"""Everything that one decision reads: what the caches hold, and answers to earlier questions.

An answer carries the resourceVersion that it was asked for and counts no longer once the cache
shows a newer one. Losing an answer costs only asking again.
"""

from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from rso.core.model import Claim, Quota, StatefulSet, StorageClass
from rso.core.names import STATUS, Phase
from rso.core.pods import Pod
from rso.core.policy import Bounds

# A Pod list older than this proves no quiet. Short, since a Pod that is made between the list and
# the delete may keep the old uid (safety T7); the delete's resourceVersion catches what is later.
PODS_FRESH_SECONDS = 0.5


class Key(NamedTuple):
    """Which set."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Refusal(msgspec.Struct, frozen=True):
    """An API server's no. `fields` are paths in the object; `message` may quote its content."""

    code: int
    reason: str
    message: str
    fields: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()


class ClaimAnswer(msgspec.Struct, frozen=True):
    """Whether one claim may grow to a size, and how large its volume is (None: not readable)."""

    resource_version: str
    size: str
    volume_bytes: int | None = None
    refusal: Refusal | None = None


class Growth(msgspec.Struct, frozen=True):
    """What was asked about claims: per claim, per class (None: no such class), and the quotas."""

    claims: dict[str, ClaimAnswer] = {}
    classes: dict[str, StorageClass | None] = {}
    quotas: tuple[Quota, ...] = ()


class Pods(msgspec.Struct, frozen=True):
    """The Pods of a set; `listed_at` is the API server's clock, `answered_at` ours."""

    resource_version: str
    answered_at: datetime
    listed_at: datetime
    pods: tuple[Pod, ...]


class Live(msgspec.Struct, frozen=True):
    """The whole set as JSON."""

    object: dict[str, Any]

    @property
    def uid(self) -> str:
        return str(self.object["metadata"]["uid"])

    @property
    def resource_version(self) -> str:
        return str(self.object["metadata"]["resourceVersion"])


class Proof(msgspec.Struct, frozen=True):
    """Whether the recreate would be accepted.

    `same_name` is the refusal of a dry create under the set's name (None: only the name was
    taken, as it must be); `probe` the answer under another name; `witness` whether the newest
    ControllerRevision holds the template; `sealed_bytes` the size of the backup; `deletion` the
    refusal of a dry delete (None: it would be accepted).
    """

    live: Live
    sizes: dict[str, str]
    witness: bool
    same_name: Refusal | None
    probe: dict[str, Any] | Refusal
    sealed_bytes: int
    deletion: Refusal | None = None


class SavedPod(msgspec.Struct, frozen=True):
    """A Pod as it was before the delete."""

    name: str
    uid: str
    restarts: int
    is_ready: bool


class Saved(msgspec.Struct, frozen=True):
    """The content of a backup: the set, its Pods, and `{template: wanted size}`."""

    object: dict[str, Any]
    pods: tuple[SavedPod, ...]
    sizes: dict[str, str]


class Unreadable(msgspec.Struct, frozen=True):
    """A backup that cannot be opened, and why."""

    sentence: str


class Backup(msgspec.Struct, frozen=True):
    """What a backup says in clear; `attempt` is that of its label `deleting`.

    `fault` is set when even that is damaged.
    """

    name: str
    uid: str
    resource_version: str
    statefulset_uid: str
    phase: Phase | None = None
    attempt: str = ""
    successor: str = ""
    superseded_at: datetime | None = None
    created_at: datetime | None = None
    fault: str = ""


class Answers(msgspec.Struct, frozen=True):
    """Answers to questions; each may be missing or too old.

    `witnessed` is told by the uid of a backup's ConfigMap, as `backups` is; `evictions` by the uid
    of a Pod: the refusal, None: it may be evicted.
    """

    growth: Growth = Growth()
    pods: Pods | None = None
    live: Live | None = None
    proof: Proof | None = None
    backups: dict[str, Saved | Unreadable] = {}
    witnessed: dict[str, bool] = {}
    is_namespace_gone: bool = False
    evictions: dict[str, Refusal | None] = {}


class World(msgspec.Struct, frozen=True):
    """What one decision about one set reads.

    `claims` are those that bear a name of the set, whoever they belong to; `has_turn` says that
    no other set is absent because of us.
    """

    key: Key
    now: datetime
    bounds: Bounds
    statefulset: StatefulSet | None
    claims: tuple[Claim, ...] = ()
    backups: tuple[Backup, ...] = ()
    has_key: bool = True
    has_turn: bool = True
    answers: Answers = Answers()

    @property
    def status(self) -> str:
        """The status annotation; empty when there is none."""
        if self.statefulset is None:
            return ""
        return self.statefulset.metadata.annotations.get(STATUS, "")

    def own_backup(self) -> Backup | None:
        """Return the backup of the set that lives."""
        if self.statefulset is None:
            return None
        uid = self.statefulset.metadata.uid
        return next((each for each in self.backups if each.statefulset_uid == uid), None)

    def live(self) -> Live | None:
        """Return the whole set, if the answer is as new as the cache."""
        answer = self.answers.live
        return answer if answer is not None and self._is_current(answer) else None

    def proof(self, sizes: dict[str, str]) -> Proof | None:
        """Return the proof for these sizes, if it is as new as the cache."""
        answer = self.answers.proof
        is_current = answer is not None and answer.sizes == sizes and self._is_current(answer.live)
        return answer if is_current else None

    def pods(self) -> Pods | None:
        """Return the Pods, if they were listed just now and the set has not changed since."""
        answer = self.answers.pods
        if answer is None or self.statefulset is None:
            return None
        age = (self.now - answer.answered_at).total_seconds()
        version = self.statefulset.metadata.resource_version
        is_current = age <= PODS_FRESH_SECONDS and reaches(answer.resource_version, version)
        return answer if is_current else None

    def _is_current(self, answer: Live) -> bool:
        if self.statefulset is None:
            return False
        metadata = self.statefulset.metadata
        return answer.uid == metadata.uid and reaches(
            answer.resource_version, metadata.resource_version
        )


def reaches(version: str, other: str) -> bool:
    """Return whether a resourceVersion is the other one or a later one.

    Source: KEP-5504 (comparable resource versions): decimal, compared as integers.
    """
    if version == other:
        return True
    if not (version.isdecimal() and other.isdecimal()):
        return False
    return int(version) > int(other)
