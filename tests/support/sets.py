"""StatefulSets of the tests, and what must hold of them whatever an operator did."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from testbed.cluster import Cluster
from testbed.process import BedError

Json = dict[str, Any]
PREFIX = "resize-statefulset-operator/"
IMAGE = "localhost/testbed/busybox:1"
READY_SECONDS = 120.0  # a loaded machine and a throttled controller manager
UNITS: dict[str, int] = {
    "": 1,
    **{f"{letter}i": 2 ** (10 * power) for power, letter in enumerate("KMGTP", 1)},
    **{letter: 10 ** (3 * power) for power, letter in enumerate("kMGTP", 1)},
}
SETTLE_SECONDS = 5.0  # a Pod that is younger is not quiet


def statefulset(
    name: str = "db",
    *,
    replicas: int = 3,
    sizes: Mapping[str, str] | None = None,
    storage_class: str | None = "instant",
    annotations: Mapping[str, str] | None = None,
    **spec: Any,  # noqa: ANN401  any field of a spec
) -> Json:
    """Return a StatefulSet of Pods that are Running at once; `sizes` is {template: size}."""
    labels = {"app": name}
    templates = [
        _template(each, size, storage_class)
        for each, size in ({"data": "1Gi"} if sizes is None else sizes).items()
    ]
    mounts = [
        {"name": each, "mountPath": f"/{each}"}
        for each in ({"data": "1Gi"} if sizes is None else sizes)
    ]
    container = {"name": "main", "image": IMAGE, "volumeMounts": mounts}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "annotations": dict(annotations or {})},
        "spec": {
            "serviceName": name,
            "replicas": replicas,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            "volumeClaimTemplates": templates,
            **spec,
        },
    }


def _template(name: str, size: str, storage_class: str | None) -> Json:
    spec: Json = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    if storage_class is not None:
        spec["storageClassName"] = storage_class
    return {"metadata": {"name": name}, "spec": spec}


@dataclass(frozen=True)
class Sets:
    """The objects of one namespace, as a test sees and changes them."""

    cluster: Cluster
    namespace: str

    def make(self, manifest: Json, *, settled: bool = True) -> Json:
        """Create a set and return it once its Pods are ready, its claims bound and all quiet."""
        self.cluster.apply(manifest, self.namespace)
        name = manifest["metadata"]["name"]
        self.wait(lambda: self.is_ready(name), f"set {name} is ready")
        if settled:
            self.wait(lambda: self.is_settled(name), f"the Pods of {name} are quiet")
        return self.get(name)

    def get(self, name: str) -> Json:
        """Return a set that exists."""
        found = self.cluster.get("statefulset", name, self.namespace)
        assert found is not None, f"no set {name}"
        return found

    def find(self, name: str) -> Json | None:
        """Return a set, if it exists."""
        return self.cluster.get("statefulset", name, self.namespace)

    def annotate(self, name: str, **wishes: str | None) -> None:
        """Set our annotations: `resize_0` is `resize-0`, `resize__data` is `resize.data`."""
        annotations = {
            PREFIX + key.replace("__", ".").replace("_", "-"): text for key, text in wishes.items()
        }
        self.cluster.merge(
            "statefulset", name, self.namespace, {"metadata": {"annotations": annotations}}
        )

    def status(self, name: str) -> str:
        """Return the status annotation; empty without one."""
        found = self.find(name) or {"metadata": {}}
        return str(found["metadata"].get("annotations", {}).get(PREFIX + "status", ""))

    def claims(self, prefix: str = "") -> dict[str, Json]:
        """Return {name: claim}."""
        found = self.cluster.list("pvc", self.namespace)
        return {
            each["metadata"]["name"]: each
            for each in found
            if each["metadata"]["name"].startswith(prefix)
        }

    def requests(self, prefix: str = "") -> dict[str, str]:
        """Return {claim: requested size}."""
        return {name: request_of(claim) for name, claim in self.claims(prefix).items()}

    def pods(self, name: str) -> dict[str, Json]:
        """Return {name: Pod} of a set's Pods."""
        found = self.cluster.list("pod", self.namespace, f"app={name}")
        return {each["metadata"]["name"]: each for each in found}

    def events(self, name: str) -> list[tuple[str, str]]:
        """Return (reason, message) of the operator's Events about a set."""
        found = self.cluster.list("event", self.namespace)
        return [
            (each["reason"], each.get("message", ""))
            for each in found
            if each["involvedObject"]["name"] == name
            and each.get("source", {}).get("component", "").startswith(PREFIX[:-1])
        ]

    def wait_event(self, name: str, reason: str, seconds: float = READY_SECONDS) -> str:
        """Return the message of the first Event about a set with this reason, once there is one.

        Raises: BedError.
        """
        self.wait(
            lambda: any(each == reason for each, _ in self.events(name)),
            f"an Event {reason} about {name}",
            seconds,
        )
        return next(message for each, message in self.events(name) if each == reason)

    def is_ready(self, name: str) -> bool:
        """Return whether every Pod is ready and every claim is bound."""
        found = self.get(name)
        replicas = found["spec"]["replicas"]
        # The controller may write the last status of a deleted set to its successor, whose
        # generation begins anew: then observedGeneration stays ahead (seen on 1.37.2).
        status = found.get("status", {})
        observed = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
        claims = self.claims().values()
        is_bound = all(claim["status"]["phase"] == "Bound" for claim in claims)
        return observed and found["status"].get("readyReplicas", 0) == replicas and is_bound

    def is_settled(self, name: str) -> bool:
        """Return whether no Pod is so young that the operator waits for it."""
        now = datetime.now(UTC)  # noqa: TID251  the age of real Pods
        ages = [
            (now - datetime.fromisoformat(pod["metadata"]["creationTimestamp"])).total_seconds()
            for pod in self.pods(name).values()
        ]
        return all(age > SETTLE_SECONDS + 1 for age in ages)

    def wait(
        self, condition: Callable[[], object], what: str, seconds: float = READY_SECONDS
    ) -> None:
        """Return once the condition holds.

        Raises: BedError, naming `what`.
        """
        self.cluster.wait(condition, seconds, what)

    def wait_status(self, name: str, start: str, seconds: float = READY_SECONDS) -> str:
        """Return the status once it begins with these words."""
        seen = [""]

        def has_begun() -> bool:
            seen.append(self.status(name))
            return seen[-1].startswith(start)

        try:
            self.wait(has_begun, start, seconds)
        except BedError as error:
            raise AssertionError(f"status is {seen[-1]!r}, not {start!r}") from error
        return seen[-1]


def make_unready(sets: Sets, pod: str) -> None:
    """Make a Pod that runs not ready, for good: nobody plays its kubelet after the start."""
    status = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    path = f"/api/v1/namespaces/{sets.namespace}/pods/{pod}/status"
    sets.cluster.api.request("PATCH", path, status, "application/strategic-merge-patch+json")


@dataclass(frozen=True)
class Snapshot:
    """A set with its Pods and claims at one moment."""

    statefulset: Json
    pods: dict[str, Json]
    claims: dict[str, Json]

    @classmethod
    def of(cls, sets: Sets, name: str) -> "Snapshot":
        """Take a snapshot."""
        return cls(sets.get(name), sets.pods(name), sets.claims())


def check_unharmed(before: Snapshot, after: Snapshot) -> None:
    """Check what holds after every resize: Pods, claims and the set, but for sizes (O2-O4)."""
    check_pods_kept(before, after)
    check_claims_kept(before, after)
    assert set(before.claims) == set(after.claims)
    assert without_sizes(before.statefulset) == without_sizes(after.statefulset)
    uid = after.statefulset["metadata"]["uid"]
    for pod in after.pods.values():
        assert [uid] == [owner["uid"] for owner in pod["metadata"]["ownerReferences"]]


def check_pods_kept(before: Snapshot, after: Snapshot) -> None:
    """Check that Pods are the same, with the same restarts and revisions (O3)."""
    assert _pod_facts(before) == _pod_facts(after)


def check_claims_kept(before: Snapshot, after: Snapshot) -> None:
    """Check that claims are the same and no request is lower (O4); there may be more of them."""
    for name, claim in before.claims.items():
        kept = after.claims[name]
        assert claim["metadata"]["uid"] == kept["metadata"]["uid"], name
        assert to_bytes(request_of(kept)) >= to_bytes(request_of(claim)), name


def _pod_facts(snapshot: Snapshot) -> dict[str, Any]:
    return {name: _pod_fact(pod) for name, pod in snapshot.pods.items()}


def _pod_fact(pod: Json) -> tuple[str, int, str]:
    restarts = sum(each["restartCount"] for each in pod["status"].get("containerStatuses", []))
    return pod["metadata"]["uid"], restarts, pod["metadata"]["labels"]["controller-revision-hash"]


def without_sizes(found: Json) -> Json:
    """Return what a recreate must not change about a set."""
    metadata = {
        key: copy.deepcopy(found["metadata"].get(key))
        for key in ("name", "labels", "annotations", "ownerReferences", "finalizers")
    }
    annotations = metadata["annotations"] or {}
    metadata["annotations"] = {
        key: text for key, text in annotations.items() if not key.startswith(PREFIX)
    }
    spec = copy.deepcopy(found["spec"])
    for template in spec.get("volumeClaimTemplates", []):
        template["spec"]["resources"]["requests"]["storage"] = ""
    return {"metadata": metadata, "spec": spec}


def request_of(claim: Json) -> str:
    """Return the requested size of a claim."""
    return str(claim["spec"]["resources"]["requests"]["storage"])


def template_sizes(found: Json) -> dict[str, str]:
    """Return {template: size} of a set."""
    return {
        each["metadata"]["name"]: each["spec"]["resources"]["requests"]["storage"]
        for each in found["spec"].get("volumeClaimTemplates", [])
    }


def to_bytes(size: str) -> int:
    """Return the bytes of a size without fraction; ValueError or KeyError for another one."""
    unit = size.lstrip("0123456789")
    return int(size.removesuffix(unit)) * UNITS[unit]
