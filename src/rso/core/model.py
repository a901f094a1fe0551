"""The Kubernetes objects as far as a decision reads them; everything else is never decoded.

The structs are frozen and outside the garbage collector: 40,000 of them live in the caches.
"""

import sys
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import force_setattr

from rso.core.mappings import Labels as Labels  # noqa: PLC0414  part of the models
from rso.core.mappings import OwnAnnotations as OwnAnnotations  # noqa: PLC0414  likewise
from rso.core.mappings import Quantities as Quantities  # noqa: PLC0414  likewise
from rso.core.mappings import decode_hook as decode_hook  # noqa: PLC0414  likewise
from rso.core.names import STATUS


class Struct(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A part of an object, in Kubernetes' own spelling on the wire."""


class OwnerReference(Struct, frozen=True):
    """Who owns an object."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None


class Metadata(Struct, frozen=True):
    """The identity of an object, and our annotations."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    annotations: OwnAnnotations = OwnAnnotations()
    labels: Labels = Labels()
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        force_setattr(self, "namespace", sys.intern(self.namespace))
        force_setattr(self, "finalizers", tuple(map(sys.intern, self.finalizers)))

    @property
    def is_deleting(self) -> bool:
        return self.deletion_timestamp is not None

    @property
    def controller(self) -> OwnerReference | None:
        """The owner that manages this object, if any."""
        return next((owner for owner in self.owner_references if owner.controller), None)


class Resources(Struct, frozen=True):
    """Requests; values are quantities as text."""

    requests: Quantities = Quantities()

    @property
    def storage(self) -> str:
        """The asked size as a quantity; empty when none is asked."""
        return self.requests.get("storage", "")


class ClaimSpec(Struct, frozen=True):
    """What a claim, or a claim template, asks for."""

    storage_class_name: str | None = None
    volume_name: str = ""
    volume_mode: str | None = None
    resources: Resources = Resources()

    def __post_init__(self) -> None:
        name, mode = self.storage_class_name, self.volume_mode
        force_setattr(self, "storage_class_name", name and sys.intern(name))
        force_setattr(self, "volume_mode", mode and sys.intern(mode))


class ClaimTemplate(Struct, frozen=True):
    """An entry of `spec.volumeClaimTemplates`."""

    metadata: Metadata
    spec: ClaimSpec = ClaimSpec()

    @property
    def name(self) -> str:
        return self.metadata.name


class Selector(Struct, frozen=True):
    """Which Pods belong to a set."""

    match_labels: Labels = Labels()
    match_expressions: tuple[dict[str, Any], ...] = ()


class Ordinals(Struct, frozen=True):
    """Where counting begins."""

    start: int = 0


class UpdateStrategy(Struct, frozen=True):
    """How Pods follow a new revision."""

    type: str = "RollingUpdate"


class RetentionPolicy(Struct, frozen=True):
    """What happens to claims when their set goes."""

    when_deleted: str = "Retain"
    when_scaled: str = "Retain"


class StatefulSetSpec(Struct, frozen=True):
    """What decides about a set; the Pod template is never decoded."""

    replicas: int = 1
    selector: Selector = Selector()
    volume_claim_templates: tuple[ClaimTemplate, ...] = ()
    ordinals: Ordinals = Ordinals()
    update_strategy: UpdateStrategy = UpdateStrategy()
    persistent_volume_claim_retention_policy: RetentionPolicy = RetentionPolicy()
    min_ready_seconds: int = 0


class StatefulSetStatus(Struct, frozen=True):
    """What the StatefulSet controller last saw."""

    observed_generation: int = 0
    current_revision: str = ""
    update_revision: str = ""


class StatefulSet(Struct, frozen=True):
    """A set, without its Pod template."""

    metadata: Metadata
    spec: StatefulSetSpec = StatefulSetSpec()
    status: StatefulSetStatus = StatefulSetStatus()

    @property
    def wishes(self) -> dict[str, str]:
        """Our annotations without the status, which only tells."""
        return {key: text for key, text in self.metadata.annotations.items() if key != STATUS}


class Condition(Struct, frozen=True):
    """One finding about an object."""

    type: str
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None


class ClaimStatus(Struct, frozen=True):
    """How far a claim is; sizes are quantities as text."""

    phase: str = ""
    capacity: Quantities = Quantities()
    allocated_resources: Quantities = Quantities()
    allocated_resource_statuses: Quantities = Quantities()
    conditions: tuple[Condition, ...] = ()

    @property
    def resize_status(self) -> str:
        """The word of KEP-1790 for the resize in flight; empty when there is none."""
        return self.allocated_resource_statuses.get("storage", "")

    def condition(self, kind: str) -> Condition | None:
        """Return the condition of this type if it is true."""
        found = (each for each in self.conditions if each.type == kind and each.status == "True")
        return next(found, None)


class Claim(Struct, frozen=True):
    """A PersistentVolumeClaim."""

    metadata: Metadata
    spec: ClaimSpec = ClaimSpec()
    status: ClaimStatus = ClaimStatus()

    @property
    def request(self) -> str:
        """The asked size as a quantity."""
        return self.spec.resources.storage

    @property
    def capacity(self) -> str:
        """The real size as a quantity; empty while there is none."""
        return self.status.capacity.get("storage", "")


class StorageClass(Struct, frozen=True):
    """What a class allows."""

    metadata: Metadata
    allow_volume_expansion: bool | None = None


class VolumeSpec(Struct, frozen=True):
    """The size of a volume."""

    capacity: Quantities = Quantities()


class Volume(Struct, frozen=True):
    """A PersistentVolume."""

    metadata: Metadata
    spec: VolumeSpec = VolumeSpec()

    @property
    def capacity(self) -> str:
        """The real size as a quantity."""
        return self.spec.capacity.get("storage", "0")


class Quota(Struct, frozen=True):
    """A ResourceQuota: hard limits and use, quantities as text."""

    class Status(Struct, frozen=True):
        """Limits and use as the API server last counted them."""

        hard: dict[str, str] = {}
        used: dict[str, str] = {}

    class Spec(Struct, frozen=True):
        """Which objects it counts, by more than their kind."""

        scopes: tuple[str, ...] = ()
        scope_selector: dict[str, Any] = {}

    metadata: Metadata
    spec: Spec = Spec()
    status: Status = Status()

    @property
    def counts_all(self) -> bool:
        """Whether it counts each object of its kinds."""
        return not (self.spec.scopes or self.spec.scope_selector)


class Namespace(Struct, frozen=True):
    """A namespace: only its identity."""

    metadata: Metadata
