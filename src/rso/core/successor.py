"""The set that takes the place of the deleted one, and what must be equal about two sets.

Whole objects are plain JSON here: a recreate must give back fields that no model of ours knows.
"""

from collections.abc import Mapping
from typing import Any

from rso.core import names
from rso.core.managers import our_entry_owns_templates, without_times

Json = dict[str, Any]

# Written by the API server; a create makes them anew (kubernetes.md A5).
_SERVER_SET = ("uid", "resourceVersion", "generation", "creationTimestamp", "selfLink")
_MADE_ANEW = ("managedFields", "annotations", "deletionTimestamp", "deletionGracePeriodSeconds")
_TEMPLATES = "volumeClaimTemplates"
_POLICY = "persistentVolumeClaimRetentionPolicy"


def saved_form(live: Json) -> Json:
    """Return what a backup keeps of a set: all but status and what the server sets."""
    metadata = {key: value for key, value in live["metadata"].items() if key not in _SERVER_SET}
    return {**_typed(live), "metadata": metadata, "spec": live["spec"]}


def is_same(saved: Json, live: Json) -> bool:
    """Return whether a backup still holds the set: metadata and spec, managers of status aside."""
    return _comparable(saved) == _comparable(saved_form(live))


def successor(saved: Json, sizes: Mapping[str, str]) -> Json:
    """Return the body of the CREATE: the saved set with `{template: size}`, and nothing else new.

    The retention policy comes back from its annotation; `declared-{i}` keeps the size that the
    manifests said, where nobody has written it yet.
    """
    metadata = {key: value for key, value in saved["metadata"].items() if key not in _MADE_ANEW}
    annotations, policy = _restored_policy(saved)
    annotations = _declared(saved, sizes) | annotations
    if annotations:
        metadata["annotations"] = annotations
    finalizers = [each for each in metadata.pop("finalizers", []) if not _is_own(each)]
    if finalizers:
        metadata["finalizers"] = finalizers
    spec = with_sizes(saved["spec"], sizes)
    if policy is not None:
        spec[_POLICY] = {**spec.get(_POLICY, {}), "whenDeleted": policy}
    return {**_typed(saved), "metadata": metadata, "spec": spec}


def probe(live: Json, sizes: Mapping[str, str]) -> Json:
    """Return the body of the dry create under a name that no set has."""
    body = successor(saved_form(live), sizes)
    name = f"srb-probe-{live['metadata']['uid'][:8]}"
    return {**body, "metadata": {**body["metadata"], "name": name}}


def is_proven(live: Json, answer: Json, sizes: Mapping[str, str]) -> bool:
    """Return whether a dry create gave back the same spec, but for the sizes.

    A changed Pod template would be a new revision and restart every Pod (kubernetes.md A3, D3).
    """
    expected = successor(saved_form(live), sizes)["spec"]
    return _without_sizes(expected) == _without_sizes(answer["spec"])


def is_our_successor(saved: Json, live: Json, sizes: Mapping[str, str]) -> bool:
    """Return whether a set of another uid is the one that we created from this backup.

    Our field manager owns the claim templates of what it created until the managers are restored.
    Replicas may have been scaled since.
    """
    if not our_entry_owns_templates(live["metadata"].get("managedFields", [])):
        return False
    expected = {**successor(saved, sizes)["spec"], "replicas": None}
    return _without_sizes(expected) == _without_sizes({**live["spec"], "replicas": None})


def is_witnessed(live: Json, revisions: list[Json]) -> bool:
    """Return whether the newest revision of the set holds its Pod template (safety T3).

    Source: `getPatch` in Kubernetes' `stateful_set_utils.go`: a revision is the template only.
    """
    uid = live["metadata"]["uid"]
    return _newest_holds([each for each in revisions if _is_owned(each, uid)], live)


def is_left_witnessed(saved: Json, old_uid: str, revisions: list[Json]) -> bool:
    """Return whether no revision that an absent set left says otherwise than its backup (T4).

    An orphan delete takes the owner from the revisions, one after the other. None is left when the
    set was deleted in the background too: in doubt no set is lost.
    """
    start = f"{saved['metadata']['name']}-"
    own = [
        each
        for each in revisions
        if each["metadata"]["name"].startswith(start)
        and (_is_owned(each, old_uid) or not _has_controller(each))
    ]
    return not own or _newest_holds(own, saved)


def _newest_holds(revisions: list[Json], live: Json) -> bool:
    if not revisions:
        return False
    newest = max(revisions, key=lambda each: int(each.get("revision", 0)))
    template = dict(newest.get("data", {}).get("spec", {}).get("template", {}))
    template.pop("$patch", None)
    return bool(without_nulls(template) == without_nulls(live["spec"].get("template")))


def with_sizes(spec: Json, sizes: Mapping[str, str]) -> Json:
    """Return a spec whose claim templates ask for `{template: size}`; others stay."""
    templates = [
        _with_size(each, sizes.get(each["metadata"]["name"])) for each in spec.get(_TEMPLATES, [])
    ]
    return {**spec, _TEMPLATES: templates} if templates else dict(spec)


def without_nulls(value: Any) -> Any:  # noqa: ANN401  any JSON
    """Return JSON without null members: encoders differ in writing them (`creationTimestamp`)."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [without_nulls(each) for each in value]
    return value


def _typed(live: Json) -> Json:
    return {"apiVersion": live.get("apiVersion", "apps/v1"), "kind": "StatefulSet"}


def _comparable(saved: Json) -> Json:
    metadata = {**saved["metadata"]}
    metadata["managedFields"] = without_times(metadata.get("managedFields", []))
    return {"metadata": metadata, "spec": saved["spec"]}


def _restored_policy(saved: Json) -> tuple[dict[str, str], str | None]:
    annotations = dict(saved["metadata"].get("annotations") or {})
    return annotations, annotations.pop(names.WHEN_DELETED, None)


def _declared(saved: Json, sizes: Mapping[str, str]) -> dict[str, str]:
    declared = {}
    for index, template in enumerate(saved["spec"].get(_TEMPLATES, [])):
        if template["metadata"]["name"] in sizes:
            declared[f"{names.DECLARED}{index}"] = _size_of(template)
    return declared


def _size_of(template: Json) -> str:
    return str(template["spec"]["resources"]["requests"]["storage"])


def _with_size(template: Json, size: str | None) -> Json:
    if size is None:
        return template
    resources = template["spec"]["resources"]
    requests = {**resources["requests"], "storage": size}
    spec = {**template["spec"], "resources": {**resources, "requests": requests}}
    return {**template, "spec": spec}


def _without_sizes(spec: Json) -> Json:
    every = {each["metadata"]["name"]: "" for each in spec.get(_TEMPLATES, [])}
    blank: Json = without_nulls(with_sizes(spec, every))
    return blank


def _is_own(finalizer: str) -> bool:
    return finalizer in names.OWN_FINALIZERS


def _is_owned(revision: Json, uid: str) -> bool:
    owners = revision["metadata"].get("ownerReferences") or []
    return any(owner.get("controller") and owner.get("uid") == uid for owner in owners)


def _has_controller(revision: Json) -> bool:
    owners = revision["metadata"].get("ownerReferences") or []
    return any(owner.get("controller") for owner in owners)
