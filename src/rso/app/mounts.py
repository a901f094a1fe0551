"""Pods as the autoscaler sees them: which claim of which set is mounted where, on which node."""

from collections.abc import Iterator
from datetime import datetime

import msgspec
from msgspec import field

from rso.app.usage.source import Subject
from rso.core.model import Claim, OwnerReference, Struct
from rso.core.pods import PodVolume
from rso.kube.client import Kind
from rso.kube.transport import Resource

_ENDED = frozenset({"Succeeded", "Failed"})  # their volumes are not mounted any more


class PodIdentity(Struct, frozen=True):
    """Which Pod it is, and whose."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    owner_references: tuple[OwnerReference, ...] = ()


class VolumeMount(Struct, frozen=True):
    """Where a container sees a volume."""

    name: str = ""
    mount_path: str = ""


class Container(Struct, frozen=True):
    """A container with its mounts."""

    name: str = ""
    volume_mounts: tuple[VolumeMount, ...] = ()


class _Spec(Struct, frozen=True):
    node_name: str = ""
    volumes: tuple[PodVolume, ...] = ()
    containers: tuple[Container, ...] = ()


class _Status(Struct, frozen=True):
    phase: str = ""
    host_ip: str = field(name="hostIP", default="")


class _WholePod(Struct, frozen=True):
    metadata: PodIdentity
    spec: _Spec = _Spec()
    status: _Status = _Status()


class Mount(Struct, frozen=True):
    """A claim in a Pod; container and path are one place where it is seen, empty without one."""

    claim: str
    container: str = ""
    path: str = ""


class MountingPod(Struct, frozen=True):
    """A Pod of a StatefulSet that mounts claims; of any other Pod there are no mounts."""

    metadata: PodIdentity
    set_uid: str = ""
    node: str = ""
    host_ip: str = ""
    mounts: tuple[Mount, ...] = ()

    @property
    def has_mounts(self) -> bool:
        return bool(self.mounts)


_decoder = msgspec.json.Decoder(_WholePod)


def decode(body: bytes) -> MountingPod:
    """Return a Pod, read for its mounts only.

    Raises: msgspec.ValidationError, msgspec.DecodeError.
    """
    pod = _decoder.decode(body)
    owners = (each for each in pod.metadata.owner_references if each.controller)
    owner = next((each.uid for each in owners if each.kind == "StatefulSet"), "")
    identity = msgspec.structs.replace(pod.metadata, owner_references=())
    if not owner or pod.status.phase in _ENDED:
        return MountingPod(identity)
    mounts = tuple(_mounts(pod.spec))
    return MountingPod(identity, owner, pod.spec.node_name, pod.status.host_ip, mounts)


MOUNTING_PODS = Kind(Resource("", "v1", "pods"), decode)


class MountIndex:
    """Finds the Pods that mount a claim."""

    def __init__(self) -> None:
        self._pods: dict[tuple[str, str], dict[str, MountingPod]] = {}

    def change(self, old: MountingPod | None, new: MountingPod | None) -> None:
        """Take over a change of a Pod."""
        if old is not None:
            for mount in old.mounts:
                self._remove(old, mount)
        if new is not None:
            for mount in new.mounts:
                key = (new.metadata.namespace, mount.claim)
                self._pods.setdefault(key, {})[new.metadata.name] = new

    def of(self, claim: Claim, set_uid: str) -> tuple[MountingPod, ...]:
        """Return the Pods of a set that mount a claim."""
        key = (claim.metadata.namespace, claim.metadata.name)
        found = self._pods.get(key, {}).values()
        return tuple(each for each in found if each.set_uid == set_uid)

    def _remove(self, pod: MountingPod, mount: Mount) -> None:
        key = (pod.metadata.namespace, mount.claim)
        pods = self._pods.get(key, {})
        pods.pop(pod.metadata.name, None)
        if not pods:
            self._pods.pop(key, None)


def subject_of(claim: Claim, pod: MountingPod) -> Subject:
    """Return whom to ask about a claim that a Pod mounts."""
    mount = next(each for each in pod.mounts if each.claim == claim.metadata.name)
    return Subject(
        namespace=claim.metadata.namespace,
        claim=claim.metadata.name,
        claim_uid=claim.metadata.uid,
        pod=pod.metadata.name,
        pod_uid=pod.metadata.uid,
        node=pod.node,
        host_ip=pod.host_ip,
        container=mount.container,
        mount_path=mount.path,
        claim_created_at=_seconds(claim.metadata.creation_timestamp),
    )


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def _mounts(spec: _Spec) -> Iterator[Mount]:
    for volume in spec.volumes:
        if volume.persistent_volume_claim is not None:
            container, path = _place(spec, volume.name)
            yield Mount(volume.persistent_volume_claim.claim_name, container, path)


def _place(spec: _Spec, volume: str) -> tuple[str, str]:
    """Return the first container that sees a volume, and where."""
    for container in spec.containers:
        for mount in container.volume_mounts:
            if mount.name == volume:
                return container.name, mount.mount_path
    return "", ""
