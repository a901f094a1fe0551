"""What is played: the set, and all that was seen of it from the outside.

The scene is filled by watches, which see each change, also one that lasts milliseconds; nothing is
taken from the operator's own words but its status and log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from testbed import writer

if TYPE_CHECKING:
    from testbed.api import Object
    from testbed.demo.lines import Line
    from testbed.writer import Record

NAME = "db"
VOLUME = "data"
REPLICAS = 3
PODS = tuple(f"{NAME}-{ordinal}" for ordinal in range(REPLICAS))
NEW_POD = f"{NAME}-{REPLICAS}"
OLD_SIZE = "300Mi"  # xfs needs as much
NEW_SIZE = "1Gi"
OLD_BYTES = 300 * 2**20
NEW_BYTES = 2**30
# Of what a claim grows by, its file system may keep a little for itself.
GROWTH_RATIO = 0.95
PREFIX = "resize-statefulset-operator/"
WISH = f"{PREFIX}resize-0={NEW_SIZE}"
DONE = f"Done: {VOLUME}={NEW_SIZE}"


def statefulset() -> Object:
    """Return the set of Pods that write, on xfs: it grows while it is mounted."""
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "xfs",
        "resources": {"requests": {"storage": OLD_SIZE}},
    }
    labels = {"app": NAME}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": NAME},
        "spec": {
            "serviceName": NAME,
            "replicas": REPLICAS,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [writer.container(VOLUME)]},
            },
            "volumeClaimTemplates": [{"metadata": {"name": VOLUME}, "spec": claim}],
        },
    }


@dataclass
class Scene:
    """All that was seen. Times are seconds since 1970; ``wished_at`` is when the wish was made."""

    statefulset: Object | None = None
    pods: dict[str, Object] = field(default_factory=dict)
    claims: dict[str, Object] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    first_bytes: dict[str, int] = field(default_factory=dict)
    pod_uids: dict[str, set[str]] = field(default_factory=dict)
    set_uids: list[str] = field(default_factory=list)
    wished_at: float | None = None
    patched_at: float | None = None
    deleted_at: float | None = None
    created_at: float | None = None
    lines: list[Line] = field(default_factory=list)

    def see_statefulset(self, at: float, change: str, found: Object) -> None:
        """Take note of the set."""
        uid = found["metadata"]["uid"]
        if change == "DELETED" or "deletionTimestamp" in found["metadata"]:
            # From its deletion on nobody controls the Pods, although the object lingers a moment.
            self.deleted_at = self.deleted_at or at
            self.statefulset = None
            return
        if uid not in self.set_uids:
            self.set_uids.append(uid)
            self.created_at = at
        self.statefulset = found

    def see_pod(self, _at: float, _change: str, found: Object) -> None:
        """Take note of a Pod; one that was deleted is remembered by its uid."""
        name = found["metadata"]["name"]
        self.pods[name] = found
        self.pod_uids.setdefault(name, set()).add(found["metadata"]["uid"])

    def see_claim(self, at: float, _change: str, found: Object) -> None:
        """Take note of a claim."""
        self.claims[found["metadata"]["name"]] = found
        if self.patched_at is None and all(map(asks_enough, self.claims.values())):
            self.patched_at = at

    def see_record(self, pod: str, record: Record | None) -> None:
        """Take note of a Pod's newest record."""
        if record is not None:
            self.records[pod] = record
            self.first_bytes.setdefault(pod, record.filesystem_bytes)

    @property
    def status(self) -> str:
        """What the operator says about the set."""
        annotations = (self.statefulset or {}).get("metadata", {}).get("annotations", {})
        return str(annotations.get(f"{PREFIX}status", ""))

    @property
    def is_replaced(self) -> bool:
        """Whether the set that lives is another object than the first."""
        return self.statefulset is not None and len(self.set_uids) > 1

    @property
    def absence_seconds(self) -> float | None:
        """The time from the delete of the set to its create; None before it was replaced."""
        if not self.is_replaced or self.deleted_at is None or self.created_at is None:
            return None
        return self.created_at - self.deleted_at

    def grown_bytes(self, pod: str) -> int:
        """Return the size from which on a Pod's file system counts as grown."""
        return int(self.first_bytes[pod] + GROWTH_RATIO * (NEW_BYTES - OLD_BYTES))

    def is_grown(self, pod: str) -> bool:
        """Whether a Pod sees its bigger file system."""
        record = self.records.get(pod)
        return record is not None and record.filesystem_bytes >= self.grown_bytes(pod)

    @property
    def is_finished(self) -> bool:
        """Whether all that was promised has come."""
        grown = [self.is_grown(pod) for pod in PODS]
        return self.is_replaced and self.status == DONE and all(grown)


def asks_enough(claim: Object) -> bool:
    """Whether a claim asks for the new size."""
    return request(claim) == NEW_SIZE


def request(claim: Object | None) -> str:
    """Return the size a claim asks for."""
    return str(claim["spec"]["resources"]["requests"]["storage"]) if claim else ""


def capacity(claim: Object | None) -> str:
    """Return the size a claim has."""
    return str((claim or {}).get("status", {}).get("capacity", {}).get("storage", ""))


def template_size(statefulset: Object | None) -> str:
    """Return the size that new replicas get."""
    if statefulset is None:
        return ""
    return request(statefulset["spec"]["volumeClaimTemplates"][0])


def restarts(pod: Object) -> int:
    """Return how often a Pod's containers were started again."""
    statuses = pod.get("status", {}).get("containerStatuses", [])
    return sum(status["restartCount"] for status in statuses)
