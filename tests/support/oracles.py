"""O1 to O12 of safety.md section 3, judged from what really happened: `violations` of a case.

Read: every state of the case's objects (its own watches), every request that its operators sent,
what they said, and the end. Each oracle yields one sentence for each thing that must not be.
"""

import base64
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise

from tests.support.allowed import claim_changes, strange_writes
from tests.support.evidence import Evidence, accepted, changes, deletes, is_of_set
from tests.support.forms import (
    claim_facts,
    decrypts_to,
    differences,
    end_state,
    plain_set,
    pod_facts,
)
from tests.support.history import CLAIMS, CONFIG_MAPS, PODS, SETS, State
from tests.support.sets import PREFIX, request_of, to_bytes
from tests.support.wire import deletes_set

YOUNG_SECONDS = 5  # a Pod that is younger may not be orphaned (gate.py)
_PHASE = f"{PREFIX}phase"
_REFUSED = (403, 422)


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
    if pod_facts(case.initial) != pod_facts(case.end):
        yield f"Pods were {sorted(pod_facts(case.initial))}, are {sorted(pod_facts(case.end))}"
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
        done = [each for each in accepted(case) if is_of_set(each) and each.request.verb == verb]
        if len(done) > 1:
            yield f"the set was the object of {len(done)} successful {verb}s"
    uids = {each.uid for each in case.history.of(SETS)}
    if len(uids) > 2:
        yield f"the set has had {len(uids)} uids"


def o6_backup_before_delete(case: Evidence) -> Iterator[str]:
    """When a DELETE commits, a backup with phase=deleting decrypts to the deleted set."""
    for delete in deletes(case):
        before = case.history.before(SETS, delete.version).get("db")
        kept = case.history.before(CONFIG_MAPS, delete.version).values()
        marked = [each for each in kept if _labels(each).get(_PHASE) == "deleting"]
        if before is None or not any(decrypts_to(each, before, case.keys) for each in marked):
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
    """Only what safety.md lists is written, field by field; claims stay equal at any time."""
    namespace = case.initial.statefulset["metadata"]["namespace"]
    for sent in changes(case):
        for complaint in strange_writes(sent.request, namespace):
            yield f"{sent.words}: {complaint}"
    for states in _by_name(case.history.of(CLAIMS)).values():
        for old, new in pairwise(states):
            yield from claim_changes(old, new)
    before, after = claim_facts(case.initial), claim_facts(case.end)
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
            if is_refused and deletes_set(sent.request):
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
    yield from differences(case.reference, end_state(case.end), "")


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
