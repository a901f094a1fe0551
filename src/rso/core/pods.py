"""A Pod as far as a decision reads it: its volumes, its restarts, whether it is ready."""

from rso.core.model import Condition, Metadata, Struct


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

    metadata: Metadata
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

    def mounts(self, claim: str) -> bool:
        """Return whether a volume of this Pod is the claim of this name."""
        sources = (volume.persistent_volume_claim for volume in self.spec.volumes)
        return any(source is not None and source.claim_name == claim for source in sources)
