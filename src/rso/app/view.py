"""What the cluster holds, as a decision wants to see it: from caches, or read just now.

Both give the same things, so the resizer and the command line decide from the same World.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from rso.app.backup import BackupUnreadable, header_of
from rso.app.resources import BackupMap
from rso.core import names, selector
from rso.core.model import Claim, StatefulSet
from rso.core.names import Phase
from rso.core.times import parse_time
from rso.core.world import Backup, Key


class View(Protocol):
    """The objects of one or many sets."""

    def statefulset(self, key: Key) -> StatefulSet | None:
        """Return the set of this name."""
        ...

    def claim(self, namespace: str, name: str) -> Claim | None:
        """Return a claim."""
        ...

    def claims(self, key: Key) -> tuple[Claim, ...]:
        """Return the claims that bear a name of the set, whoever they belong to."""
        ...

    def backups(self, key: Key) -> tuple[Backup, ...]:
        """Return the backups of this set, of whatever uid."""
        ...

    def backup(self, name: str) -> Backup | None:
        """Return a backup by its ConfigMap's name."""
        ...

    def absent(self) -> set[Key]:
        """Return the sets that are away because of us, as their backups say."""
        ...


class ClaimIndex:
    """Finds claims by the part of their name before the ordinal."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], set[str]] = {}

    def add(self, claim: Claim) -> None:
        """Remember a claim's name."""
        if stem := _stem(claim):
            self._names.setdefault(stem, set()).add(claim.metadata.name)

    def remove(self, claim: Claim) -> None:
        """Forget a claim's name."""
        stem = _stem(claim)
        if stem in self._names:
            self._names[stem].discard(claim.metadata.name)
            if not self._names[stem]:
                del self._names[stem]

    def names(self, namespace: str, template: str, statefulset: str) -> Iterable[str]:
        """Return the names of the claims of one template of one set."""
        return self._names.get((namespace, f"{template}-{statefulset}"), ())


class BackupIndex:
    """The backups by set; those whose header is damaged by their own name."""

    def __init__(self) -> None:
        self._by_name: dict[str, tuple[Key | None, Backup]] = {}

    def put(self, body: BackupMap) -> tuple[Key | None, Backup]:
        """Remember a backup; the key is None when its header does not say whose it is."""
        entry = read_backup(body)
        self._by_name[body.metadata.name] = entry
        return entry

    def remove(self, name: str) -> Key | None:
        """Forget a backup, and return whose it was."""
        key, _ = self._by_name.pop(name, (None, None))
        return key

    def get(self, name: str) -> Backup | None:
        """Return a backup by its ConfigMap's name."""
        return self._by_name.get(name, (None, None))[1]

    def of(self, key: Key) -> tuple[Backup, ...]:
        """Return the readable backups of a set, oldest uid first."""
        found = [backup for owner, backup in self._by_name.values() if owner == key]
        return tuple(
            sorted(found, key=lambda each: (each.created_at is None, str(each.created_at)))
        )

    def keys(self, phase: Phase) -> set[Key]:
        """Return the sets that have a backup in this phase."""
        return {key for key, each in self._by_name.values() if key and each.phase is phase}

    def all_keys(self) -> set[Key]:
        """Return the sets that have any backup."""
        return {key for key, _ in self._by_name.values() if key}

    def count(self, phase: Phase | None) -> int:
        """Return how many backups are in this phase."""
        return sum(each.phase is phase for _, each in self._by_name.values())

    def damaged(self) -> list[Backup]:
        """Return the backups that do not say whose they are."""
        return [backup for key, backup in self._by_name.values() if key is None]


def read_backup(body: BackupMap) -> tuple[Key | None, Backup]:
    """Return whose backup a ConfigMap is, and what it says in clear."""
    key, uid, fault = None, "", ""
    try:
        header = header_of(body.metadata.name, body.data)
        key, uid = Key(header.namespace, header.name), header.uid
    except BackupUnreadable as unreadable:
        fault = str(unreadable)
    annotations = body.metadata.annotations
    backup = Backup(
        name=body.metadata.name,
        uid=body.metadata.uid,
        resource_version=body.metadata.resource_version,
        statefulset_uid=uid,
        phase=_phase(body.labels.get(names.PHASE_LABEL, "")),
        attempt=annotations.get(names.ATTEMPT, ""),
        successor=annotations.get(names.SUCCESSOR, ""),
        superseded_at=parse_time(annotations.get(names.SUPERSEDED_AT, "")),
        created_at=body.metadata.creation_timestamp,
        fault=fault,
    )
    return key, backup


def owners_of(claim: Claim, find: Callable[[Key], StatefulSet | None]) -> list[Key]:
    """Return the sets that this claim's name could belong to and that exist."""
    namespace = claim.metadata.namespace
    keys = [Key(namespace, name) for name in selector.possible_owners(claim.metadata.name)]
    return [key for key in keys if find(key) is not None]


def _stem(claim: Claim) -> tuple[str, str] | None:
    parts = selector.split_ordinal(claim.metadata.name)
    return (claim.metadata.namespace, parts[0]) if parts else None


def _phase(text: str) -> Phase | None:
    return Phase(text) if text in list(Phase) else None
