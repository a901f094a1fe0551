"""The caches of an autoscaler: sets, claims, and Pods that mount claims of sets."""

import asyncio
from collections.abc import Callable, Iterator
from typing import TypeVar

from rso.app import resources
from rso.app.meters import Meters
from rso.app.mounts import MOUNTING_PODS, MountIndex, MountingPod
from rso.app.view import ClaimIndex
from rso.core.model import Claim, StatefulSet
from rso.core.scaling import is_auto_scaled
from rso.core.world import Key
from rso.kube.client import Client, Kind
from rso.kube.clock import Clock
from rso.kube.informer import Informer, Object

T = TypeVar("T", bound=Object)
OnChange = Callable[[T | None, T | None], None]


class ScalerCaches:
    """What the cluster holds, as last seen; no `namespaces` means all.

    `claim_changed` is called for each claim that is new or another.
    """

    def __init__(
        self, client: Client, clock: Clock, metrics: Meters, namespaces: tuple[str, ...]
    ) -> None:
        self._client = client
        self._clock = clock
        self._metrics = metrics
        self.claim_changed: Callable[[Claim], None] = lambda _claim: None
        self._names = ClaimIndex()
        self._mounts = MountIndex()
        scopes = namespaces or (None,)
        self._sets = [
            self._informer(resources.STATEFULSETS, each, is_auto_scaled, _ignore) for each in scopes
        ]
        self._claims = [
            self._informer(resources.CLAIMS, each, _any, self._claim_changed) for each in scopes
        ]
        self._pods = [
            self._informer(MOUNTING_PODS, each, _has_mounts, self._mounts.change) for each in scopes
        ]

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
        """Return what is not complete yet; None when all is."""
        if not all(informer.synced.is_set() for informer in self._all()):
            return "not every list of StatefulSets, claims and Pods is complete yet"
        return None

    def oldest_contact(self) -> float:
        """Return the monotonic time of the informer that has heard nothing for longest."""
        return min(informer.last_seen for informer in self._all())

    def statefulsets(self) -> tuple[StatefulSet, ...]:
        """Return the sets that are to be auto-scaled and are not going."""
        found = (each for informer in self._sets for each in informer.values())
        return tuple(each for each in found if not each.metadata.is_deleting)

    def claims(self, statefulset: StatefulSet) -> Iterator[Claim]:
        """Yield the claims that bear a name of the set, whoever they belong to."""
        key = key_of(statefulset)
        for template in statefulset.spec.volume_claim_templates:
            for name in sorted(self._names.names(key.namespace, template.name, key.name)):
                found = (informer.get(key.namespace, name) for informer in self._claims)
                yield from (claim for claim in found if claim is not None)

    def pods(self, statefulset: StatefulSet, claim: Claim) -> tuple[MountingPod, ...]:
        """Return the Pods of a set that mount a claim."""
        return self._mounts.of(claim, statefulset.metadata.uid)

    def _all(self) -> tuple[Informer[StatefulSet] | Informer[Claim] | Informer[MountingPod], ...]:
        return (*self._sets, *self._claims, *self._pods)

    def _informer(
        self, kind: Kind[T], scope: str | None, keeps: Callable[[T], bool], on_change: OnChange[T]
    ) -> Informer[T]:
        plural = kind.resource.plural
        return Informer(
            self._client,
            kind,
            clock=self._clock,
            namespace=scope,
            keeps=keeps,
            on_change=on_change,
            on_undecodable=lambda: self._metrics.undecodable(plural),
        )

    def _claim_changed(self, old: Claim | None, new: Claim | None) -> None:
        if old is not None and new is None:
            self._names.remove(old)
        if new is not None and old is None:
            self._names.add(new)
        if new is not None:
            self.claim_changed(new)


def key_of(statefulset: StatefulSet) -> Key:
    """Return namespace and name of a set."""
    return Key(statefulset.metadata.namespace, statefulset.metadata.name)


def _any(_: Claim) -> bool:
    return True


def _ignore(_: StatefulSet | None, __: StatefulSet | None) -> None:
    """Do nothing: sets are looked at in each look, not when they change."""


def _has_mounts(pod: MountingPod) -> bool:
    return pod.has_mounts
