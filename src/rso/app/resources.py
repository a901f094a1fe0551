"""Binds each kind's place in the API to the model that decodes it."""

from typing import TypeVar

import msgspec

from rso.core.model import (
    Claim,
    Labels,
    Metadata,
    Namespace,
    Quota,
    StatefulSet,
    StorageClass,
    Struct,
    Volume,
    decode_hook,
)
from rso.core.pods import Pod
from rso.kube.client import Kind, raw
from rso.kube.transport import Resource

T = TypeVar("T")


class BackupMap(Struct, frozen=True):
    """A backup's ConfigMap without its envelope."""

    metadata: Metadata
    data: dict[str, str] = {}  # noqa: RUF012  frozen, never mutated

    @property
    def labels(self) -> Labels:
        return self.metadata.labels


def _kind(resource: Resource, model: type[T]) -> Kind[T]:
    return Kind(resource, msgspec.json.Decoder(model, dec_hook=decode_hook).decode)


_STATEFULSETS = Resource("apps", "v1", "statefulsets")
_CLAIMS = Resource("", "v1", "persistentvolumeclaims")
_CONFIG_MAPS = Resource("", "v1", "configmaps")

STATEFULSETS = _kind(_STATEFULSETS, StatefulSet)
WHOLE_STATEFULSETS = raw(_STATEFULSETS)
CLAIMS = _kind(_CLAIMS, Claim)
WHOLE_CLAIMS = raw(_CLAIMS)
BACKUPS = _kind(_CONFIG_MAPS, BackupMap)
WHOLE_BACKUPS = raw(_CONFIG_MAPS)
PODS = _kind(Resource("", "v1", "pods"), Pod)
EVICTIONS = Resource("", "v1", "pods/eviction")
REVISIONS = raw(Resource("apps", "v1", "controllerrevisions"))
QUOTAS = _kind(Resource("", "v1", "resourcequotas"), Quota)
VOLUMES = _kind(Resource("", "v1", "persistentvolumes", namespaced=False), Volume)
CLASSES = _kind(Resource("storage.k8s.io", "v1", "storageclasses", namespaced=False), StorageClass)
NAMESPACES = _kind(Resource("", "v1", "namespaces", namespaced=False), Namespace)
ACCESS_REVIEWS = raw(
    Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", namespaced=False)
)
SECRETS = raw(Resource("", "v1", "secrets"))
_ADMISSION = "admissionregistration.k8s.io"
MUTATING_WEBHOOKS = raw(
    Resource(_ADMISSION, "v1", "mutatingwebhookconfigurations", namespaced=False)
)
POLICIES = raw(Resource(_ADMISSION, "v1", "validatingadmissionpolicies", namespaced=False))
POLICY_BINDINGS = raw(
    Resource(_ADMISSION, "v1", "validatingadmissionpolicybindings", namespaced=False)
)


class Identified(Struct, frozen=True):
    """Any object, of which only the identity and the owners are read."""

    metadata: Metadata


def metadata_only(resource: Resource) -> Kind[Identified]:
    """Return a kind whose objects are read for their metadata alone."""
    return _kind(resource, Identified)
