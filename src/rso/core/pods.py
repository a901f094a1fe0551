"""A Pod as far as a decision reads it: its volumes, its restarts, whether it is ready."""

from datetime import datetime
from typing import Any

from msgspec import field

from rso.core.model import Condition, Metadata, Struct


class OwnedMetadata(Struct, frozen=True):
    """Which owner references a field manager has written, by `k:{"uid":"…"}`."""

    owner_references: dict[str, Any] = field(name="f:ownerReferences", default_factory=dict)


class OwnedFields(Struct, frozen=True):
    """The fields of a manager, as far as they tell of owners."""

    metadata: OwnedMetadata = field(name="f:metadata", default=OwnedMetadata())


class ManagedFields(Struct, frozen=True):
    """When a field manager wrote last, and what it holds."""

    time: datetime | None = None
    fields_v1: OwnedFields = OwnedFields()


class PodMetadata(Metadata, frozen=True):
    """The identity of a Pod, and since when its owners are its owners."""

    managed_fields: tuple[ManagedFields, ...] = ()

    def adopted_at(self, uid: str) -> datetime | None:
        """Return when the Pod got this owner, as its field managers tell; else when it was made."""
        key = f'k:{{"uid":"{uid}"}}'
        times = [
            each.time
            for each in self.managed_fields
            if each.time is not None and key in each.fields_v1.metadata.owner_references
        ]
        return max(times, default=self.creation_timestamp)


class ClaimSource(Struct, frozen=True):
    """A claim as a Pod names it."""

    claim_name: str = ""


class PodVolume(Struct, frozen=True):
    """One volume of a Pod."""

    name: str = ""
    persistent_volume_claim: ClaimSource | None = None


class PodSpec(Struct, frozen=True):
    """The volumes of a Pod."""

    volumes: tuple[PodVolume, ...] = ()


class ContainerStatus(Struct, frozen=True):
    """How often a container was started again."""

    name: str = ""
    restart_count: int = 0


class PodStatus(Struct, frozen=True):
    """How a Pod is."""

    phase: str = ""
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(Struct, frozen=True):
    """A Pod as far as quiet and adoption are judged."""

    metadata: PodMetadata
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def restarts(self) -> int:
        return sum(each.restart_count for each in self.status.container_statuses)

    @property
    def is_ready(self) -> bool:
        return any(
            each.type == "Ready" and each.status == "True" for each in self.status.conditions
        )

    @property
    def ready_since(self) -> datetime | None:
        """Since when it is ready; None, when it is not or nobody knows."""
        ready = (each for each in self.status.conditions if each.type == "Ready")
        times = (each.last_transition_time for each in ready if each.status == "True")
        return next(times, None)

    def mounts(self, claim: str) -> bool:
        """Return whether a volume of this Pod is the claim of this name."""
        sources = (volume.persistent_volume_claim for volume in self.spec.volumes)
        return any(source is not None and source.claim_name == claim for source in sources)
