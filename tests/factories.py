"""Valid objects and worlds; a test states only what matters to it.

Objects are made from JSON, as a cluster sends it, and merged with what a test states.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from rso.core import successor
from rso.core.actions import Ask, Decision, SetStatus
from rso.core.fold import answered, fold
from rso.core.model import Claim, StatefulSet, decode_hook
from rso.core.names import PREFIX
from rso.core.plan import plan
from rso.core.pods import Pod
from rso.core.policy import Bounds
from rso.core.quantity import read_bytes
from rso.core.world import Answers, Backup, Growth, Key, Live, Pods, Saved, SavedPod, World

Json = dict[str, Any]
Kind = TypeVar("Kind")

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
GIB = 2**30
KEY = Key("shop", "db")
UID = "0f5a-1"
BOUNDS = Bounds(max_size_bytes=2000 * GIB, max_factor=10, template_follows=True)
HELM: Json = {
    "manager": "helm",
    "operation": "Apply",
    "apiVersion": "apps/v1",
    "time": "2026-10-01T00:00:00Z",
    "fieldsType": "FieldsV1",
    "fieldsV1": {"f:spec": {"f:replicas": {}}},
}
CONTROLLER: Json = {
    "manager": "kube-controller-manager",
    "operation": "Update",
    "apiVersion": "apps/v1",
    "subresource": "status",
    "fieldsV1": {"f:status": {}},
}


def merged(base: Json, changes: Json) -> Json:
    """Return JSON with changes merged into its objects; None removes."""
    result = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return {key: value for key, value in result.items() if value is not None}


def decoded(live: Json, kind: type[Kind]) -> Kind:
    """Return an object as the caches hold it."""
    return msgspec.convert(live, kind, dec_hook=decode_hook)


def own(annotations: dict[str, str]) -> dict[str, str]:
    """Return annotations with our prefix before each key."""
    return {f"{PREFIX}{key}": text for key, text in annotations.items()}


def whole_set(
    annotations: dict[str, str] | None = None,
    templates: dict[str, str] | None = None,
    **changes: Json,
) -> Json:
    """Return a set as JSON: `annotations` without our prefix, `templates` as {name: size}."""
    sizes = {"data": "10Gi"} if templates is None else templates
    base = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {
            "name": "db",
            "namespace": "shop",
            "uid": UID,
            "resourceVersion": "100",
            "generation": 1,
            "creationTimestamp": "2026-10-01T00:00:00Z",
            "labels": {"team": "shop"},
            "annotations": {"note": "by hand", **own(annotations or {})},
            "managedFields": [HELM, CONTROLLER],
        },
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "db"}},
            "serviceName": "db",
            "template": {
                "metadata": {"labels": {"app": "db"}},
                "spec": {"containers": [{"name": "db", "image": "db:1"}]},
            },
            "volumeClaimTemplates": [_template(name, size) for name, size in sizes.items()],
        },
        "status": {
            "observedGeneration": 1,
            "currentRevision": "db-1",
            "updateRevision": "db-1",
        },
    }
    return merged(base, changes)


def statefulset(
    annotations: dict[str, str] | None = None,
    templates: dict[str, str] | None = None,
    **changes: Json,
) -> StatefulSet:
    """Return a set as the caches hold it."""
    return decoded(whole_set(annotations, templates, **changes), StatefulSet)


def claim(
    name: str = "data-db-0", request: str = "10Gi", capacity: str = "10Gi", **changes: Json
) -> Claim:
    """Return a bound claim."""
    base = {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "resourceVersion": "50",
            "labels": {"app": "db"},
        },
        "spec": {
            "storageClassName": "fast",
            "volumeName": f"pv-{name}",
            "resources": {"requests": {"storage": request}},
        },
        "status": {"phase": "Bound", "capacity": {"storage": capacity}},
    }
    return decoded(merged(base, changes), Claim)


def unbound(name: str = "data-db-0", request: str = "10Gi") -> Claim:
    """Return a claim that waits for its first Pod."""
    return claim(
        name,
        request,
        spec={"volumeName": ""},
        status={"phase": "Pending", "capacity": {"storage": None}},
    )


def claims_of(live: Json, ordinals: Iterable[int] | None = None) -> tuple[Claim, ...]:
    """Return a claim of the template's size for each template and ordinal."""
    spec = live["spec"]
    start = spec.get("ordinals", {}).get("start", 0)
    every = range(start, start + spec["replicas"]) if ordinals is None else ordinals
    return tuple(
        claim(f"{each['metadata']['name']}-{live['metadata']['name']}-{ordinal}", size, size)
        for ordinal in every
        for each in spec["volumeClaimTemplates"]
        for size in [each["spec"]["resources"]["requests"]["storage"]]
    )


def pod(name: str = "db-0", owner: str = UID, **changes: Json) -> Pod:
    """Return a Pod that has run for an hour and mounts the claim of template data."""
    base = {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "creationTimestamp": (NOW - timedelta(hours=1)).isoformat(),
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": {
            "volumes": [
                {"name": "data", "persistentVolumeClaim": {"claimName": f"data-{name}"}},
                {"name": "settings"},
            ]
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "db", "restartCount": 2}],
        },
    }
    return decoded(merged(base, changes), Pod)


def owner_reference(uid: str, kind: str = "StatefulSet", name: str = "db") -> Json:
    """Return a reference to a controller."""
    return {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": True}


def pods(*listed: Pod, **changes: Any) -> Pods:  # noqa: ANN401  any field of Pods
    """Return a listing of Pods made just now; without names, of the set's three."""
    three = tuple(pod(f"db-{ordinal}") for ordinal in range(3))
    answer = Pods("100", NOW, NOW, listed or three)
    return replace(answer, **changes)


def backup(**changes: Any) -> Backup:  # noqa: ANN401  any field of Backup
    """Return a backup of the set that lives by default, without a phase."""
    return replace(Backup("b-1", "uid-b-1", "70", UID, created_at=NOW), **changes)


def saved(live: Json, sizes: dict[str, str] | None = None, *before: SavedPod) -> Saved:
    """Return the content of a backup of this set."""
    return Saved(successor.saved_form(live), before, sizes or {"data": "20Gi"})


def world(live: Json | None = None, **fields: Any) -> World:  # noqa: ANN401  any field of World
    """Return a world with this set and its claims; `answers` remember it as read long ago."""
    live = whole_set({"resize-0": "20Gi"}) if live is None else live
    known = merged(live, {"metadata": {"resourceVersion": "0"}, "status": None})
    base = World(
        key=Key("shop", live["metadata"]["name"]),
        now=NOW,
        bounds=BOUNDS,
        statefulset=decoded(live, StatefulSet),
        claims=claims_of(live),
        answers=Answers(live=Live(known)),
    )
    return replace(base, **fields)


def with_answers(before: World, **answers: Any) -> World:  # noqa: ANN401  any field of Answers
    """Return the world with other answers."""
    return replace(before, answers=replace(before.answers, **answers))


def with_growth(before: World, **fields: Any) -> World:  # noqa: ANN401  any field of Growth
    """Return the world in which questions about claims are answered like this."""
    return with_answers(before, growth=Growth(**fields))


def grown(before: World, size: str = "20Gi") -> World:
    """Return the world in which every claim has grown."""
    larger = (claim(each.metadata.name, size, size) for each in before.claims)
    return replace(before, claims=tuple(larger))


def decided(start: World) -> Decision:
    """Return what is decided once each question is answered as a quiet cluster would."""
    decision = plan(start)
    while isinstance(decision, Ask):
        start = answered(start, decision)
        decision = plan(start)
    return decision


def outcome(start: World) -> Decision:
    """Return what is decided once the status has been written, too."""
    decision = decided(start)
    if isinstance(decision, SetStatus):
        return decided(told(start, decision.text))
    return decision


def told(before: World, text: str) -> World:
    """Return the world with this status annotation."""
    if before.statefulset is None:
        return before
    metadata = before.statefulset.metadata
    annotations = type(metadata.annotations)({**metadata.annotations, f"{PREFIX}status": text})
    changed = replace(metadata, annotations=annotations)
    return replace(before, statefulset=replace(before.statefulset, metadata=changed))


def end(start: World) -> Decision:
    """Return how it ends on a quiet cluster."""
    return fold(start)[-1]


def size_of(each: Claim) -> int:
    """Return the bytes that a claim asks for."""
    return read_bytes(each.request)


def _template(name: str, size: str) -> Json:
    return {
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "fast",
            "resources": {"requests": {"storage": size}},
        },
        "status": {"phase": "Pending"},
    }
