"""Admission of others may refuse or change the recreate: it is asked before the delete."""

import base64
import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.api import ApiRefusal
from tests.cluster.looks import writes
from tests.cluster.refusals import Refused, check_refused
from tests.support.fixtures import Run
from tests.support.sets import Json, Sets, statefulset, template_sizes
from tests.support.stored import store
from tests.support.webhooks import Review, webhook

GROWN = "the claims have grown, but"
REFUSED = f"Blocked: AdmissionRefuses: {GROWN} creating the set again would be refused with 403 by "
PLAN = "; `rso plan db` shows the whole message"


def refuse(_: Json, code: int = 403) -> Json:
    return {"allowed": False, "status": {"code": code, "message": "not today: hunter2"}}


def invalid(request: Json) -> Json:
    return refuse(request, 422)


def bad(request: Json) -> Json:
    return refuse(request, 400)


def change_template(_: Json) -> Json:
    """Change the Pod template on the way in: every Pod would restart."""
    operation = {"op": "add", "path": "/spec/template/metadata/annotations", "value": {"a": "b"}}
    patch = base64.b64encode(json.dumps([operation]).encode()).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": patch}


@contextlib.contextmanager
def policy(sets: Sets) -> Iterator[None]:
    """Forbid creates of StatefulSets in the namespace by a policy, once it has begun to hold."""
    name = f"{sets.namespace}.policy"
    rule: Json = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["statefulsets"],
    }
    where = {"matchLabels": {"kubernetes.io/metadata.name": sets.namespace}}
    group = "admissionregistration.k8s.io/v1"
    made: list[tuple[str, Json]] = [
        (
            "ValidatingAdmissionPolicy",
            {
                "matchConstraints": {"resourceRules": [rule]},
                "validations": [
                    {"expression": "false", "message": "no sets", "reason": "Forbidden"}
                ],
            },
        ),
        (
            "ValidatingAdmissionPolicyBinding",
            {
                "policyName": name,
                "validationActions": ["Deny"],
                "matchResources": {"namespaceSelector": where},
            },
        ),
    ]
    for kind, spec in made:
        sets.cluster.apply(
            {"apiVersion": group, "kind": kind, "metadata": {"name": name}, "spec": spec}
        )
    try:
        sets.wait(lambda: dry_create(sets) == 403, "the policy holds")
        yield
    finally:
        for kind, _ in made:
            sets.cluster.delete(kind, name)


def dry_create(sets: Sets) -> int:
    """Return what a dry create of a set answers."""
    path = f"/apis/apps/v1/namespaces/{sets.namespace}/statefulsets?dryRun=All"
    return sets.cluster.api.send("POST", path, statefulset("probe"))[0]


def test_7_a_policy_added_later_refuses_before_the_delete(sets: Sets, run: Run) -> None:
    """A ValidatingAdmissionPolicy against the create is told, and its end lets the set go on."""
    with contextlib.ExitStack() as policies:
        row = Refused(
            f"{REFUSED}the policy {{here}}.policy{PLAN}",
            forbid=lambda sets: policies.enter_context(policy(sets)),
            cure=lambda _: policies.close(),
            grown=2,
        )
        check_refused(sets, run, row)


BY_WEBHOOK = "the webhook {here}.example.com" + PLAN
HOOKS = [
    pytest.param(refuse, {}, REFUSED + BY_WEBHOOK, id="7 refuses"),
    pytest.param(invalid, {}, REFUSED.replace("403", "422") + BY_WEBHOOK, id="7 invalid"),
    pytest.param(bad, {}, REFUSED.replace("403", "400") + BY_WEBHOOK, id="7 bad"),
    pytest.param(
        change_template,
        {"kind": "Mutating"},
        f"Blocked: CannotProve: {GROWN} the API server would store another spec than the one that "
        "lives, so a recreate might restart Pods; set the annotation recreate to false, or "
        "recreate the set by hand",
        id="changes the template",
    ),
]


@pytest.mark.parametrize(("review", "options", "status"), HOOKS)
def test_a_webhook_in_the_way_keeps_the_set_in_place(
    sets: Sets,
    run: Run,
    tmp_path: Path,
    review: Review,
    options: dict[str, str],
    status: str,
) -> None:
    """A webhook that refuses or changes the set stops before the delete; its own words are kept."""
    with contextlib.ExitStack() as hooks:

        def install(sets: Sets) -> None:
            made = webhook(sets.cluster, sets.namespace, tmp_path, review, **options)
            hooks.enter_context(made)

        row = Refused(status, forbid=install, cure=lambda _: hooks.close(), grown=2)
        check_refused(sets, run, row)

    assert "hunter2" not in str(sets.events("db"))


@pytest.mark.changes("spec")  # by the cure
def test_a_field_that_is_invalid_today_refuses_before_the_delete(sets: Sets, run: Run) -> None:
    """A set that an older Kubernetes accepted and this one refuses lives on; its claims grow."""

    def rename(sets: Sets, service: str) -> None:
        found = sets.get("db")
        found["spec"]["serviceName"] = service
        store(sets.cluster, f"statefulsets/{sets.namespace}/db", found)
        sets.wait(lambda: sets.get("db")["spec"]["serviceName"] == service, "it is stored")

    row = Refused(
        f"{REFUSED.replace('403', '422')}the API server because of spec.serviceName{PLAN}",
        forbid=lambda sets: rename(sets, "Not_A_Name"),
        cure=lambda sets: rename(sets, "db"),
        grown=2,
    )
    check_refused(sets, run, row)


def test_while_a_create_is_refused_no_other_set_is_deleted(
    sets: Sets, run: Run, tmp_path: Path
) -> None:
    """A refusal that begins in the gap: the set comes back when it ends, no other goes meanwhile.

    The claims of others grow on.
    """
    for name in ("db", "other"):
        sets.make(statefulset(name, replicas=0))
    sets.make(statefulset("claims", replicas=1))
    refusing = threading.Event()

    def review(request: Json) -> Json:
        is_real = not request.get("dryRun")
        return refuse(request) if is_real and refusing.is_set() else {"allowed": True}

    with webhook(sets.cluster, sets.namespace, tmp_path, review), run() as operator:
        refusing.set()
        sets.annotate("db", resize_0="2Gi")
        sets.wait(lambda: sets.find("db") is None, "the set is away")
        sets.annotate("other", resize_0="2Gi")
        sets.annotate("claims", resize_0="2Gi")
        sets.wait(lambda: sets.requests("data-claims") == {"data-claims-0": "2Gi"}, "claims grow")
        others = {name: sets.find(name) is not None for name in ("other", "claims")}
        deleted = writes(operator).count("delete statefulsets")
        refusing.clear()
        for name in ("db", "other", "claims"):
            sets.wait_status(name, "Done: data=2Gi")

    assert {"other": True, "claims": True} == others
    assert 1 == deleted
    assert {"data": "2Gi"} == template_sizes(sets.get("db"))


def test_11_a_webhook_that_cannot_be_asked_dry_cannot_be_installed(
    sets: Sets, tmp_path: Path
) -> None:
    """`sideEffects: Some` is of an API version that is gone: the API server refuses it."""
    with (
        pytest.raises(ApiRefusal, match="sideEffects") as refusal,
        webhook(sets.cluster, sets.namespace, tmp_path, refuse, side_effects="Some"),
    ):
        pass

    assert 422 == refusal.value.code
