"""What a kubelet says at /stats/summary, as far as volumes go. Pure: bytes in, readings out.

An answer of 110 Pods is half a megabyte, nearly all of it about CPU, memory and network: the
decoder skips that without making objects of it.
Source: Kubernetes, `k8s.io/kubelet/pkg/apis/stats/v1alpha1`.
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from rso.app.usage.source import Fault, Trouble
from rso.core.times import parse_time


class _Claim(msgspec.Struct, gc=False):
    name: str = ""
    namespace: str = ""


class _Volume(msgspec.Struct, rename="camel", gc=False):
    pvc_ref: _Claim | None = None  # None for a volume that is no claim's
    time: str | None = None
    capacity_bytes: float | None = None
    used_bytes: float | None = None
    available_bytes: float | None = None
    inodes: float | None = None
    inodes_used: float | None = None


class _PodReference(msgspec.Struct, gc=False):
    uid: str = ""


class _Pod(msgspec.Struct, rename="camel", gc=False):
    pod_ref: _PodReference
    volume: list[_Volume] | None = None


class _Node(msgspec.Struct, rename="camel", gc=False):
    node_name: str = ""


class _Summary(msgspec.Struct, gc=False):
    node: _Node
    pods: list[_Pod] | None = None


_decoder = msgspec.json.Decoder(_Summary)


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What a kubelet says of one claim that one of its Pods mounts; amounts may be odd."""

    pod_uid: str
    namespace: str
    claim: str
    taken_at: datetime
    capacity_bytes: float
    used_bytes: float
    available_bytes: float
    inodes: float | None
    inodes_used: float | None


class Summary(msgspec.Struct, frozen=True):
    """Who answers, empty if it does not say, which Pods it has and what they mount."""

    node: str
    pod_uids: frozenset[str]
    readings: tuple[Reading, ...]


def decode(body: bytes | bytearray) -> Summary:
    """Return what an answer says.

    A volume without a time or one of the three amounts is left out: missing is not zero.
    Raises: Trouble, when it is no summary.
    """
    try:
        found = _decoder.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Trouble(Fault.MALFORMED, f"this is no summary: {error}") from error
    pods = found.pods or []
    return Summary(
        found.node.node_name,
        frozenset(pod.pod_ref.uid for pod in pods),
        tuple(_readings(pods)),
    )


def _readings(pods: list[_Pod]) -> Iterator[Reading]:
    for pod in pods:
        for volume in pod.volume or ():
            if volume.pvc_ref is not None:
                reading = _reading(pod.pod_ref.uid, volume.pvc_ref, volume)
                if reading is not None:
                    yield reading


def _reading(pod_uid: str, claim: _Claim, volume: _Volume) -> Reading | None:
    taken_at = parse_time(volume.time or "")
    capacity, used, available = volume.capacity_bytes, volume.used_bytes, volume.available_bytes
    if taken_at is None or capacity is None or used is None or available is None:
        return None
    inodes = volume.inodes or None  # btrfs has none and says 0: no inode data, never "full"
    return Reading(
        pod_uid,
        claim.namespace,
        claim.name,
        taken_at,
        capacity,
        used,
        available,
        inodes,
        None if inodes is None else volume.inodes_used,
    )
