"""Objects as they can be compared: without what differs by its nature or may change."""

import copy
from collections.abc import Iterator
from typing import Any

from rso.app.backup import BackupUnreadable, Keys, envelope_of, header_of, open_
from tests.support.history import State
from tests.support.sets import PREFIX, Snapshot

Json = dict[str, Any]
_SERVER_SET = ("uid", "resourceVersion", "generation", "creationTimestamp")


def plain_set(found: Json) -> Json:
    """Return what a recreate must not change."""
    metadata = found["metadata"]
    annotations = metadata.get("annotations", {})
    spec = copy.deepcopy(found["spec"])
    for template in spec.get("volumeClaimTemplates", []):
        template["spec"]["resources"]["requests"]["storage"] = ""
    return {
        "labels": metadata.get("labels"),
        "annotations": {key: each for key, each in annotations.items() if _is_foreign(key)},
        "owners": metadata.get("ownerReferences"),
        "finalizers": metadata.get("finalizers"),
        "spec": spec,
    }


def end_state(end: Snapshot) -> Json:
    """Return an end as it can be compared between cases: nothing that differs by its nature."""
    metadata = end.statefulset["metadata"]
    return {
        "annotations": metadata.get("annotations"),
        "labels": metadata.get("labels"),
        "spec": end.statefulset["spec"],
        "managers": managers(metadata),
        "claims": {name: _claim_end(each) for name, each in end.claims.items()},
        "pods": {name: _pod_end(each) for name, each in end.pods.items()},
    }


def pod_facts(snapshot: Snapshot) -> set[tuple[str, str, int, str]]:
    """Return (name, uid, restarts, revision) of each Pod."""
    return {
        (
            name,
            pod["metadata"]["uid"],
            sum(each["restartCount"] for each in pod["status"].get("containerStatuses", [])),
            pod["metadata"]["labels"]["controller-revision-hash"],
        )
        for name, pod in snapshot.pods.items()
    }


def claim_facts(snapshot: Snapshot) -> dict[str, Json]:
    """Return the claims as nobody may change them."""
    kept = {}
    for name, claim in snapshot.claims.items():
        metadata = {
            key: each
            for key, each in claim["metadata"].items()
            if key not in (*_SERVER_SET, "managedFields", "annotations", "ownerReferences")
        }
        annotations = claim["metadata"].get("annotations", {})
        metadata["annotations"] = {k: each for k, each in annotations.items() if _is_foreign(k)}
        spec = copy.deepcopy(claim["spec"])
        spec["resources"]["requests"]["storage"] = ""
        kept[name] = {"metadata": metadata, "spec": spec, "uid": claim["metadata"]["uid"]}
    return kept


def managers(metadata: Json) -> Json:
    """Return {manager: its fields} without times; owners' uids are part of their paths."""
    entries = [
        {key: each for key, each in entry.items() if key != "time"}
        for entry in metadata.get("managedFields", [])
        if entry.get("subresource") != "status"
    ]
    for entry in entries:
        entry.get("fieldsV1", {}).get("f:metadata", {}).pop("f:ownerReferences", None)
    return {f"{each['manager']} {each['operation']}": each for each in entries}


def differences(expected: object, actual: object, path: str) -> Iterator[str]:
    """Yield a sentence for each place at which two ends differ."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in sorted({*expected, *actual}):
            yield from differences(expected.get(key), actual.get(key), f"{path}/{key}")
    elif expected != actual:
        yield f"{path} is {actual!r} at the end, not {expected!r}"


def decrypts_to(backup: State, before: State, keys: Keys) -> bool:
    """Return whether a backup holds the set: metadata without status managers, and spec."""
    try:
        header = header_of(backup.name, backup.object["data"])
        content = open_(keys, header, envelope_of(backup.name, backup.object["binaryData"]))
    except BackupUnreadable:
        return False
    return _kept(content["object"]) == _kept(before.object)


def _kept(found: Json) -> Json:
    metadata = {key: each for key, each in found["metadata"].items() if key not in _SERVER_SET}
    metadata["managedFields"] = managers({"managedFields": copy.deepcopy(_fields(found))})
    return {"metadata": metadata, "spec": found["spec"]}


def _fields(found: Json) -> list[Json]:
    entries: list[Json] = found["metadata"].get("managedFields", [])
    return entries


def _claim_end(claim: Json) -> Json:
    annotations = dict(claim["metadata"].get("annotations", {}))
    has_grown = annotations.pop(f"{PREFIX}grown-at", None) is not None
    spec = {key: each for key, each in claim["spec"].items() if key != "volumeName"}
    return {
        "annotations": annotations,
        "has_grown": has_grown,
        "spec": spec,
        "owners": [each["kind"] for each in claim["metadata"].get("ownerReferences", [])],
        "managers": managers(claim["metadata"]),
    }


def _pod_end(pod: Json) -> Json:
    return {
        "labels": pod["metadata"]["labels"],
        "owners": [each["kind"] for each in pod["metadata"].get("ownerReferences", [])],
    }


def _is_foreign(key: str) -> bool:
    """Return whether an annotation is neither ours nor written by Kubernetes' own controllers."""
    return not key.startswith(PREFIX) and "kubernetes.io/" not in key
