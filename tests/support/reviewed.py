"""Requests as the API server sends them to a webhook, built for tests of the review."""

import copy
from typing import Any

import msgspec

from rso.core.reviewed import LAST_APPLIED, Request
from tests.support.sets import PREFIX

Json = dict[str, Any]


def reviewed_set(sizes: dict[str, str] | None = None, /, **annotations: str) -> Json:
    """Return a set of these templates; `resize_0` is our annotation `resize-0`."""
    own = {
        PREFIX + key.replace("__", ".").replace("_", "-"): text for key, text in annotations.items()
    }
    chosen = {"data": "10Gi"} if sizes is None else sizes
    metadata: Json = {"name": "db", "namespace": "shop"}
    if own:
        metadata["annotations"] = own
    return {
        "metadata": metadata,
        "spec": {
            "replicas": 3,
            "template": {"spec": {"containers": [{"name": "main", "image": "db:1"}]}},
            "volumeClaimTemplates": [template(name, size) for name, size in chosen.items()],
        },
    }


def template(name: str, size: str) -> Json:
    """Return a claim template as the API server shows it."""
    return {
        "kind": "PersistentVolumeClaim",
        "apiVersion": "v1",
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}},
            "volumeMode": "Filesystem",
        },
        "status": {"phase": "Pending"},
    }


def create(new: Json) -> Request:
    """Return the request that creates a set."""
    return _request("CREATE", new, None, {})


def patch(old: Json, new: Json) -> Request:
    """Return the request of a patch that is no apply."""
    return _request("UPDATE", new, old, {"fieldManager": "kubectl-edit"})


def put(old: Json, new: Json) -> Request:
    """Return the request of a replace."""
    return _request("UPDATE", new, old, {"fieldManager": "kubectl-replace"})


def apply(old: Json, new: Json) -> Request:
    """Return the request of a server-side apply."""
    entry = {
        "manager": "helm",
        "operation": "Apply",
        "fieldsV1": {"f:spec": {"f:volumeClaimTemplates": {}}},
    }
    changed = copy.deepcopy(new)
    changed["metadata"]["managedFields"] = [entry]
    return _request("UPDATE", changed, old, {"fieldManager": "helm"})


def client_apply(old: Json, new: Json) -> Request:
    """Return the request of `kubectl apply` with another manifest than last time."""
    changed = [copy.deepcopy(each) for each in (old, new)]
    for each, text in zip(changed, ("{}", '{"spec": 1}'), strict=True):
        each["metadata"].setdefault("annotations", {})[LAST_APPLIED] = text
    options = {"fieldManager": "kubectl-client-side-apply"}
    return _request("UPDATE", changed[1], changed[0], options)


def _request(operation: str, new: Json, old: Json | None, options: Json) -> Request:
    body = {
        "uid": "705ab4f5",
        "kind": {"group": "apps", "version": "v1", "kind": "StatefulSet"},
        "operation": operation,
        "name": "db",
        "namespace": "shop",
        "options": options,
        "object": new,
        "oldObject": old,
    }
    return msgspec.json.decode(msgspec.json.encode(body), type=Request)


def patched(request: Request, operations: tuple[Json, ...]) -> Json:
    """Return the submitted set after a JSON patch, as far as a webhook may use one (RFC 6902)."""
    result: Json = copy.deepcopy(msgspec.to_builtins(request.object))
    for each in operations:
        *parents, last = [_unescaped(part) for part in each["path"].split("/")[1:]]
        parent: Any = result
        for part in parents:
            parent = parent[int(part)] if isinstance(parent, list) else parent[part]
        if each["op"] == "test":
            assert parent[last] == each["value"]
        elif each["op"] == "remove":
            del parent[last]
        elif each["op"] == "replace":
            assert last in parent
            parent[last] = each["value"]
        else:
            assert each["op"] == "add"
            parent[last] = each["value"]
    return result


def _unescaped(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")
