"""The caches of a resizer: sets, claims and backups, kept true by informers."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TypeVar

from rso.app import resources
from rso.app.metrics import Metrics
from rso.app.resources import BackupMap
from rso.app.view import BackupIndex, ClaimIndex, owners_of
from rso.core.model import Claim, StatefulSet
from rso.core.names import BACKUP_SELECTOR, Phase
from rso.core.policy import has_own_annotation
from rso.core.world import Backup, Key
from rso.kube.client import Client, Kind
from rso.kube.clock import Clock
from rso.kube.informer import Informer, Object

T = TypeVar("T", bound=Object)
OnChange = Callable[[T | None, T | None], None]


class Caches:
    """What the cluster holds, as last seen. `touch(key, is_new)` is called for each set to look at.

    `is_new` says that people or the storage side changed something that may end a refusal.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        metrics: Metrics,
        namespaces: tuple[str, ...],
        operator_namespace: str,
    ) -> None:
        self._client = client
        self._clock = clock
        self._metrics = metrics
        self.touch: Callable[[Key, bool], None] = lambda _key, _is_new: None
        self.forget: Callable[[Key], None] = lambda _key: None
        # No set stands for a backup whose header is damaged: nobody else would ever tell of it.
        self.backups_damaged: Callable[[], None] = lambda: None
        self._claim_names = ClaimIndex()
        self.backup_index = BackupIndex()
        scopes = namespaces or (None,)
        self._sets = self._informers(resources.STATEFULSETS, scopes, self._set_changed)
        self._claims = self._informers(resources.CLAIMS, scopes, self._claim_changed)
        self._backups = Informer(
            client,
            resources.BACKUPS,
            clock=clock,
            namespace=operator_namespace,
            labels=BACKUP_SELECTOR,
            on_change=self._backup_changed,
            on_undecodable=lambda: metrics.undecodable("configmaps"),
        )

    async def run(self) -> None:
        """Keep the caches true until cancelled."""
        async with asyncio.TaskGroup() as group:
            for informer in self._all():
                group.create_task(informer.run())

    async def wait_synced(self) -> None:
        """Return when every cache was complete once."""
        for informer in self._all():
            await informer.synced.wait()

    def missing(self) -> str | None:
        """Return which cache is not complete yet; None when all are."""
        if not all(informer.synced.is_set() for informer in self._all()):
            return "not every list of StatefulSets, claims and backups is complete yet"
        return None

    def oldest_contact(self) -> float:
        """Return the monotonic time of the informer that has heard nothing for longest."""
        return min(informer.last_seen for informer in self._all())

    async def wait_gone(self, key: Key, uid: str) -> StatefulSet | None:
        """Return a set as it last was, when the watch has shown that its uid is gone.

        None, if it was never there; never, out of scope.
        """
        informer = self._informer(self._sets, key.namespace)
        if informer is None:
            await asyncio.Event().wait()
            return None
        return await informer.wait_gone(*key, uid)

    def covers(self, namespace: str) -> bool:
        """Return whether the sets of a namespace are watched."""
        return self._informer(self._sets, namespace) is not None

    def keys(self) -> Iterable[Key]:
        """Return the sets that ask for something."""
        for informer in self._sets.values():
            for statefulset in informer.values():
                if has_own_annotation(statefulset):
                    yield _key(statefulset)

    def statefulset(self, key: Key) -> StatefulSet | None:
        informer = self._informer(self._sets, key.namespace)
        return informer.get(*key) if informer else None

    def claim(self, namespace: str, name: str) -> Claim | None:
        informer = self._informer(self._claims, namespace)
        return informer.get(namespace, name) if informer else None

    def claims(self, key: Key) -> tuple[Claim, ...]:
        statefulset = self.statefulset(key)
        templates = statefulset.spec.volume_claim_templates if statefulset else ()
        found = (
            self.claim(key.namespace, name)
            for template in templates
            for name in self._claim_names.names(key.namespace, template.name, key.name)
        )
        return tuple(claim for claim in found if claim is not None)

    def backups(self, key: Key) -> tuple[Backup, ...]:
        return self.backup_index.of(key)

    def backup(self, name: str) -> Backup | None:
        return self.backup_index.get(name)

    def backup_keys(self) -> set[Key]:
        """Return the sets that have a backup in any phase."""
        return self.backup_index.all_keys()

    def _all(self) -> list[Informer[StatefulSet] | Informer[Claim] | Informer[BackupMap]]:
        return [*self._sets.values(), *self._claims.values(), self._backups]

    def absent(self) -> set[Key]:
        return self.backup_index.keys(Phase.DELETING)

    def _informers(
        self, kind: Kind[T], scopes: Iterable[str | None], on_change: OnChange[T]
    ) -> dict[str | None, Informer[T]]:
        plural = kind.resource.plural
        return {
            scope: Informer(
                self._client,
                kind,
                clock=self._clock,
                namespace=scope,
                on_change=on_change,
                on_undecodable=lambda: self._metrics.undecodable(plural),
            )
            for scope in scopes
        }

    @staticmethod
    def _informer(informers: dict[str | None, Informer[T]], namespace: str) -> Informer[T] | None:
        return informers.get(namespace) or informers.get(None)

    def _set_changed(self, old: StatefulSet | None, new: StatefulSet | None) -> None:
        either = new or old
        if either is None:
            return
        key = _key(either)
        if new is None:
            self.forget(key)
        if has_own_annotation(either) or (old and has_own_annotation(old)) or self.backups(key):
            self.touch(key, _has_changed(old, new))

    def _claim_changed(self, old: Claim | None, new: Claim | None) -> None:
        if old is not None and new is None:
            self._claim_names.remove(old)
        if new is not None and old is None:
            self._claim_names.add(new)
        either = new or old
        if either is None:
            return
        is_new = old is None or new is None or _was_touched(old, new)
        for key in owners_of(either, self.statefulset):
            statefulset = self.statefulset(key)
            if statefulset is not None and has_own_annotation(statefulset):
                self.touch(key, is_new)

    def _backup_changed(self, old: BackupMap | None, new: BackupMap | None) -> None:
        if new is not None:
            key, _ = self.backup_index.put(new)
        else:
            key = self.backup_index.remove(old.metadata.name) if old else None
        if key is not None:
            # Our own label is no news; whoever makes, removes or changes one may end a refusal.
            self.touch(key, old is None or new is None or old.data != new.data)
        else:
            self.backups_damaged()


def _key(statefulset: StatefulSet) -> Key:
    return Key(statefulset.metadata.namespace, statefulset.metadata.name)


def _has_changed(old: StatefulSet | None, new: StatefulSet | None) -> bool:
    """Return whether people changed something: not the status, and not our own word for it."""
    if old is None or new is None:
        return True
    return old.metadata.generation != new.metadata.generation or old.wishes != new.wishes


def _was_touched(old: Claim, new: Claim) -> bool:
    return old.status.phase != new.status.phase or old.request != new.request
