"""O1 to O12 of safety.md section 3, judged from what really happened: `violations` of a case.

Read: every state of the case's objects (its own watches), every request that its operators sent,
what they said, and the end. Each oracle yields one sentence for each thing that must not be.
"""

import base64
import copy
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from rso.app.backup import BackupUnreadable, Keys, envelope_of, header_of, open_
from tests.support.faults import write_name
from tests.support.history import CLAIMS, CONFIG_MAPS, PODS, SETS, History, State
from tests.support.operators import Sent
from tests.support.sets import PREFIX, Snapshot, request_of, to_bytes

Json = dict[str, Any]
YOUNG_SECONDS = 5  # a Pod that is younger may not be orphaned (gate.py)
_PHASE = f"{PREFIX}phase"
_SERVER_SET = ("uid", "resourceVersion", "generation", "creationTimestamp")
_REFUSED = (403, 422)
_ALLOWED = frozenset(
    {
        ("patch", "persistentvolumeclaims"),
        ("create", "statefulsets"),
        ("delete", "statefulsets"),
        ("patch", "statefulsets"),
        ("create", "configmaps"),
        ("patch", "configmaps"),
        ("delete", "configmaps"),
        ("create", "events"),
        ("patch", "events"),
        ("create", "leases"),
        ("update", "leases"),
    }
)


@dataclass(frozen=True)
class Evidence:
    """What is known about one case.

    `runs` holds the requests of each operator; `resync` those of the last, which had nothing to
    do. `reference` is the end of the run without a fault; None: this is that run.
    """

    history: History
    initial: Snapshot
    end: Snapshot
    sizes: dict[str, str]
    keys: Keys
    runs: list[list[Sent]]
    resync: list[Sent]
    canary: str
    said: str
    backups: list[Json]
    reference: Json | None = None


def violations(case: Evidence) -> list[str]:
    """Return what the oracles say against a case; nothing, when it is survived."""
    found: list[str] = []
    for oracle in ORACLES:
        number = oracle.__name__.split("_")[0].upper()
        found += [f"{number}: {sentence}" for sentence in oracle(case)]
    return found


def o1_no_set_lost(case: Evidence) -> Iterator[str]:
    """At rest exactly one set of the name, and it is not going."""
    living = [each for each in case.history.now(SETS).values() if not each.is_deleting]
    if [each.name for each in living] != ["db"]:
        yield f"the sets that live are {[each.name for each in living]}"


def o2_same_set(case: Evidence) -> Iterator[str]:
    """Spec, labels, annotations but ours, owners and finalizers stay, sizes aside."""
    before, after = plain_set(case.initial.statefulset), plain_set(case.end.statefulset)
    for part in before:
        if before[part] != after[part]:
            yield f"{part} of the set differ"
    sizes = {
        each["metadata"]["name"]: each["spec"]["resources"]["requests"]["storage"]
        for each in case.end.statefulset["spec"].get("volumeClaimTemplates", [])
    }
    if sizes != case.sizes:
        yield f"the templates ask for {sizes}"


def o3_same_pods(case: Evidence) -> Iterator[str]:
    """Keep the same Pods with the same restarts, never deleted, owned by the set that lives."""
    if _pods(case.initial) != _pods(case.end):
        yield f"Pods were {sorted(_pods(case.initial))}, are {sorted(_pods(case.end))}"
    for state in case.history.of(PODS):
        if state.is_deleting:
            yield f"Pod {state.name} was deleted"
    uid = case.end.statefulset["metadata"]["uid"]
    for name, pod in case.end.pods.items():
        owners = [each["uid"] for each in pod["metadata"].get("ownerReferences", [])]
        if owners != [uid]:
            yield f"Pod {name} is not owned by the set alone"
    for delete in deletes(case):
        yield from _young_pods(case, delete)


def o4_claims_only_grow(case: Evidence) -> Iterator[str]:
    """Keep the same claims; a request never decreases at any instant and ends as wished."""
    for name, states in _by_name(case.history.of(CLAIMS)).items():
        if any(each.is_deleting for each in states) or len({each.uid for each in states}) > 1:
            yield f"claim {name} was deleted"
        for old, new in pairwise(states):
            if _request(new) < _request(old):
                yield f"the request of claim {name} has decreased"
        wished = case.sizes[name.split("-")[0]]
        if _request(states[-1]) != to_bytes(wished):
            yield f"claim {name} asks for {_request(states[-1])} bytes, not {wished}"
    if set(case.initial.claims) != set(case.end.claims):
        yield "the claims are not the same"


def o5_one_delete(case: Evidence) -> Iterator[str]:
    """At most one successful DELETE and one successful CREATE of the set."""
    for verb in ("delete", "create"):
        accepted = [
            each for each in _accepted(case) if _is_of_set(each) and each.request.verb == verb
        ]
        if len(accepted) > 1:
            yield f"the set was the object of {len(accepted)} successful {verb}s"
    uids = {each.uid for each in case.history.of(SETS)}
    if len(uids) > 2:
        yield f"the set has had {len(uids)} uids"


def o6_backup_before_delete(case: Evidence) -> Iterator[str]:
    """When a DELETE commits, a backup with phase=deleting decrypts to the deleted set."""
    for delete in deletes(case):
        before = case.history.before(SETS, delete.version).get("db")
        kept = case.history.before(CONFIG_MAPS, delete.version).values()
        marked = [each for each in kept if _labels(each).get(_PHASE) == "deleting"]
        if before is None or not any(_decrypts_to(each, before, case.keys) for each in marked):
            yield f"no backup of the deleted set among {len(marked)} with phase=deleting"
        if "orphan" not in delete.object["metadata"].get("finalizers", []):
            yield "the DELETE did not orphan the Pods"


def o7_no_backup_left(case: Evidence) -> Iterator[str]:
    """At rest no backup but superseded ones; none is deleted while its set is away."""
    for backup in case.backups:
        if backup["metadata"]["labels"].get(_PHASE) != "superseded":
            yield f"backup {backup['metadata']['name']} is left"
    for state in case.history.of(CONFIG_MAPS):
        if state.is_gone:
            found = case.history.before(SETS, state.version).get("db")
            if found is None or found.is_deleting:
                yield f"backup {state.name} was deleted while its set was away"


def o8_only_allowed_writes(case: Evidence) -> Iterator[str]:
    """Nothing is written but what safety.md lists; everything else is equal."""
    for sent in _changes(case):
        if (sent.request.verb, sent.request.resource.plural) not in _ALLOWED:
            yield f"there was a {sent.words}"
        if "?" in write_name(sent.request):
            yield f"a patch of something else: {sent.words}"
    before, after = _claims(case.initial), _claims(case.end)
    for name in before:
        if before[name] != after.get(name):
            yield f"claim {name} has changed beyond its request"


def o9_quiet_at_the_end(case: Evidence) -> Iterator[str]:
    """Ten looks later no request was made but lists and watches."""
    allowed = {"list", "watch"}
    for sent in case.resync:
        if sent.request.verb not in allowed and sent.request.resource.plural != "namespaces":
            yield f"a finished set caused {sent.words}"


def o10_refusals_stop(case: Evidence) -> Iterator[str]:
    """After a refused claim patch or dry run the same operator deletes nothing."""
    for run in case.runs:
        is_refused = False
        for sent in run:
            plural = sent.request.resource.plural
            is_write = sent.request.verb in ("patch", "create")
            if plural in ("persistentvolumeclaims", "statefulsets") and is_write:
                is_refused = is_refused or sent.status in _REFUSED
            if is_refused and _is_of_set(sent) and sent.request.verb == "delete":
                yield "a refusal was followed by a DELETE of the set"


def o11_nothing_said(case: Evidence) -> Iterator[str]:
    """No part of a set's content in logs, Events, metrics, ConfigMaps or status."""
    if case.canary in case.said:
        yield "the canary was said in a log line, an Event, a metric or a status"
    for state in case.history.of(CONFIG_MAPS):
        clear = json.dumps(state.object)
        sealed = base64.b64decode(state.object.get("binaryData", {}).get("backup", ""))
        if case.canary in clear or case.canary.encode() in sealed:
            yield f"the canary can be read in backup {state.name}"


def o12_same_end(case: Evidence) -> Iterator[str]:
    """End as the run without a fault; uids, versions and times are masked."""
    if case.reference is None:
        return
    yield from _differences(case.reference, end_state(case.end), "")


ORACLES = (
    o1_no_set_lost,
    o2_same_set,
    o3_same_pods,
    o4_claims_only_grow,
    o5_one_delete,
    o6_backup_before_delete,
    o7_no_backup_left,
    o8_only_allowed_writes,
    o9_quiet_at_the_end,
    o10_refusals_stop,
    o11_nothing_said,
    o12_same_end,
)


def deletes(case: Evidence) -> Iterator[State]:
    """Yield the first state of the set after each accepted DELETE of an operator."""
    answers = [
        json.loads(sent.answer)
        for sent in _accepted(case)
        if _is_of_set(sent) and sent.request.verb == "delete"
    ]
    for answer in answers:
        # The set itself while a finalizer holds it, else a Status.
        uid = answer["metadata"].get("uid") or answer.get("details", {}).get("uid")
        going = (each for each in case.history.of(SETS) if each.uid == uid and each.is_deleting)
        yield from itertools.islice(going, 1)


def longest_absence(history: History) -> float:
    """Return the seconds for which the set was away at most, as the watch saw it."""
    longest = 0.0
    for old, new in pairwise(history.of(SETS)):
        if old.is_gone and not new.is_gone:
            longest = max(longest, new.seen_at - old.seen_at)
    return longest


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
        "managers": _managers(metadata),
        "claims": {name: _claim_end(each) for name, each in end.claims.items()},
        "pods": {name: _pod_end(each) for name, each in end.pods.items()},
    }


def _differences(expected: object, actual: object, path: str) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in sorted({*expected, *actual}):
            yield from _differences(expected.get(key), actual.get(key), f"{path}/{key}")
    elif expected != actual:
        yield f"{path} is {actual!r} at the end, not {expected!r}"


def _claim_end(claim: Json) -> Json:
    annotations = dict(claim["metadata"].get("annotations", {}))
    has_grown = annotations.pop(f"{PREFIX}grown-at", None) is not None
    spec = {key: each for key, each in claim["spec"].items() if key != "volumeName"}
    return {
        "annotations": annotations,
        "has_grown": has_grown,
        "spec": spec,
        "owners": [each["kind"] for each in claim["metadata"].get("ownerReferences", [])],
        "managers": _managers(claim["metadata"]),
    }


def _pod_end(pod: Json) -> Json:
    return {
        "labels": pod["metadata"]["labels"],
        "owners": [each["kind"] for each in pod["metadata"].get("ownerReferences", [])],
    }


def _managers(metadata: Json) -> Json:
    """Return {manager: its fields} without times; owners' uids are part of their paths."""
    entries = [
        {key: each for key, each in entry.items() if key != "time"}
        for entry in metadata.get("managedFields", [])
        if entry.get("subresource") != "status"
    ]
    for entry in entries:
        entry.get("fieldsV1", {}).get("f:metadata", {}).pop("f:ownerReferences", None)
    return {f"{each['manager']} {each['operation']}": each for each in entries}


def _pods(snapshot: Snapshot) -> set[tuple[str, str, int, str]]:
    return {
        (
            name,
            pod["metadata"]["uid"],
            sum(each["restartCount"] for each in pod["status"].get("containerStatuses", [])),
            pod["metadata"]["labels"]["controller-revision-hash"],
        )
        for name, pod in snapshot.pods.items()
    }


def _claims(snapshot: Snapshot) -> dict[str, Json]:
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


def _young_pods(case: Evidence, delete: State) -> Iterator[str]:
    """Yield the Pods that were too young when the set was deleted (kubernetes.md S7)."""
    deleted = delete.object["metadata"].get("deletionTimestamp")
    if deleted is None:  # gone at once: O6 tells that nothing was orphaned
        return
    at = datetime.fromisoformat(deleted)
    for pod in case.history.before(PODS, delete.version).values():
        born = datetime.fromisoformat(pod.object["metadata"]["creationTimestamp"])
        if (at - born).total_seconds() < YOUNG_SECONDS - 1:  # both times are whole seconds
            yield f"Pod {pod.name} was {at - born} old when the set was deleted"


def _decrypts_to(backup: State, before: State, keys: Keys) -> bool:
    """Return whether a backup holds the set: metadata without status managers, and spec."""
    try:
        header = header_of(backup.name, backup.object["data"])
        content = open_(keys, header, envelope_of(backup.name, backup.object["binaryData"]))
    except BackupUnreadable:
        return False
    return _kept(content["object"]) == _kept(before.object)


def _kept(found: Json) -> Json:
    metadata = {key: each for key, each in found["metadata"].items() if key not in _SERVER_SET}
    metadata["managedFields"] = _managers({"managedFields": copy.deepcopy(_fields(found))})
    return {"metadata": metadata, "spec": found["spec"]}


def _fields(found: Json) -> list[Json]:
    entries: list[Json] = found["metadata"].get("managedFields", [])
    return entries


def _labels(state: State) -> dict[str, str]:
    labels: dict[str, str] = state.object["metadata"].get("labels", {})
    return labels


def _request(state: State) -> int:
    return to_bytes(request_of(state.object))


def _by_name(states: Iterable[State]) -> dict[str, list[State]]:
    found: dict[str, list[State]] = {}
    for each in states:
        found.setdefault(each.name, []).append(each)
    return found


def _changes(case: Evidence) -> Iterator[Sent]:
    return (sent for run in case.runs for sent in run if sent.request.changes)


def _accepted(case: Evidence) -> list[Sent]:
    return [sent for sent in _changes(case) if sent.is_accepted]


def _is_of_set(sent: Sent) -> bool:
    return sent.request.resource.plural == "statefulsets"


def _is_foreign(key: str) -> bool:
    """Return whether an annotation is neither ours nor written by Kubernetes' own controllers."""
    return not key.startswith(PREFIX) and "kubernetes.io/" not in key
