"""A view read just now, for the command line: what the caches are to the resizer."""

import asyncio
from typing import TypeVar

from rso.app import resources
from rso.app.backup import namespace_hash
from rso.app.resources import BackupMap
from rso.app.view import BackupIndex, ClaimIndex
from rso.core.model import Claim, StatefulSet
from rso.core.names import BACKUP_SELECTOR, NAMESPACE_HASH_LABEL, Phase
from rso.core.world import Backup, Key
from rso.kube.client import Client, Kind, Listing
from rso.kube.errors import Forbidden, NotFound

T = TypeVar("T", StatefulSet, Claim, BackupMap)


class LiveView:
    """The objects of one set, of a namespace or of the cluster, as they were when last read.

    `gaps` are sentences about what could not be read: without the right to see the operator's
    namespace no backup is known, so no absent set either.
    """

    def __init__(self, client: Client, operator_namespace: str) -> None:
        self._client = client
        self._operator_namespace = operator_namespace
        self._sets: dict[Key, StatefulSet] = {}
        self._claims: dict[tuple[str, str], Claim] = {}
        self._claim_names = ClaimIndex()
        self._backups = BackupIndex()
        self.gaps: tuple[str, ...] = ()

    async def read_set(self, key: Key) -> None:
        """Read one set, the claims of its namespace and its backups.

        Raises: Forbidden, for the set and the claims; whatever else a request raises.
        """
        statefulset, claims, backups = await asyncio.gather(
            self._one(key),
            self._client.list(resources.CLAIMS, key.namespace),
            self._list_backups(key.namespace),
        )
        gaps = _undecodable(resources.CLAIMS, claims)
        self._keep((statefulset,) if statefulset else (), claims.items, backups, gaps)

    async def read_all(self, namespace: str | None) -> None:
        """Read every set, claim and backup of a namespace; None: of the whole cluster.

        Raises: as `read_set`.
        """
        sets, claims, backups = await asyncio.gather(
            self._client.list(resources.STATEFULSETS, namespace),
            self._client.list(resources.CLAIMS, namespace),
            self._list_backups(namespace),
        )
        gaps = (
            *_undecodable(resources.STATEFULSETS, sets),
            *_undecodable(resources.CLAIMS, claims),
        )
        self._keep(sets.items, claims.items, backups, gaps)

    def keys(self) -> list[Key]:
        """Return every set that lives or has a backup, in order."""
        return sorted({*self._sets, *self._backups.all_keys()})

    def statefulset(self, key: Key) -> StatefulSet | None:
        return self._sets.get(key)

    def claim(self, namespace: str, name: str) -> Claim | None:
        return self._claims.get((namespace, name))

    def claims(self, key: Key) -> tuple[Claim, ...]:
        statefulset = self.statefulset(key)
        templates = statefulset.spec.volume_claim_templates if statefulset else ()
        return tuple(
            self._claims[key.namespace, name]
            for template in templates
            for name in sorted(self._claim_names.names(key.namespace, template.name, key.name))
        )

    def backups(self, key: Key) -> tuple[Backup, ...]:
        return self._backups.of(key)

    def backup(self, name: str) -> Backup | None:
        return self._backups.get(name)

    def damaged_backups(self) -> list[Backup]:
        """Return the backups whose header does not say whose they are."""
        return self._backups.damaged()

    def absent(self) -> set[Key]:
        return self._backups.keys(Phase.DELETING)

    async def _one(self, key: Key) -> StatefulSet | None:
        try:
            return await self._client.get(resources.STATEFULSETS, *key)
        except NotFound:
            return None

    async def _list_backups(self, namespace: str | None) -> Listing[BackupMap] | Forbidden:
        """Return the backups, or why they cannot be read; the sets can be shown without."""
        labels = BACKUP_SELECTOR
        if namespace is not None:
            labels = f"{labels},{NAMESPACE_HASH_LABEL}={namespace_hash(namespace)}"
        try:
            return await self._client.list(resources.BACKUPS, self._operator_namespace, labels)
        except Forbidden as error:
            return error

    def _keep(
        self,
        sets: tuple[StatefulSet, ...],
        claims: tuple[Claim, ...],
        backups: Listing[BackupMap] | Forbidden,
        gaps: tuple[str, ...],
    ) -> None:
        self._sets = {Key(each.metadata.namespace, each.metadata.name): each for each in sets}
        self._claims = {(each.metadata.namespace, each.metadata.name): each for each in claims}
        self._claim_names = ClaimIndex()
        for claim in claims:
            self._claim_names.add(claim)
        self._backups = BackupIndex()
        if isinstance(backups, Forbidden):
            unknown = (
                f"backups and absent sets are unknown: {backups.message}; ask for the right to "
                f"list ConfigMaps in {self._operator_namespace}"
            )
            self.gaps = (*gaps, unknown)
            return
        for body in backups.items:
            self._backups.put(body)
        self.gaps = (*gaps, *_undecodable(resources.BACKUPS, backups))


def _undecodable(kind: Kind[T], listing: Listing[T]) -> tuple[str, ...]:
    names = ", ".join(f"{each.namespace}/{each.name}" for each in listing.skipped[:3])
    plural = kind.resource.plural
    return (f"{len(listing.skipped)} {plural} cannot be read: {names}",) if names else ()
