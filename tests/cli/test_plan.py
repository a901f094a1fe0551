"""`rso plan`: checks and requests as they would be, and nothing changed."""

import json

import pytest

from testbed.cluster import Cluster
from tests.cli.conftest import Shop
from tests.cli.running import Rso
from tests.support.sets import Sets, statefulset

READ = {"apiGroups": ["", "apps"], "resources": ["*"], "verbs": ["get", "list"]}

PLANNER = (
    {"apiGroups": ["apps"], "resources": ["statefulsets"], "verbs": ["get", "create", "delete"]},
    {"apiGroups": ["apps"], "resources": ["controllerrevisions"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["pods", "resourcequotas"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["list", "patch"]},
)


def test_a_plan_shows_every_request(shop: Shop) -> None:
    """A plan has what each guard answered, then each changing request in its order."""
    ran = shop.rso("plan db data=2Gi")

    assert (
        """\
What was asked, and what was answered:
  SUBJECT  ANSWER
ok  storage class instant  allows expansion
ok  claim data-db-0  dry run accepts 2Gi (its volume has 1Gi)
ok  claim data-db-1  dry run accepts 2Gi (its volume has 1Gi)
ok  Pods  all there and quiet
ok  delete of db  dry run accepts it
ok  create of db  dry run accepts it
ok  create under another name  gives the same spec
ok  newest ControllerRevision  holds the Pod template
ok  backup  N of 921600 bytes

What would be sent, in this order:
  VERB  OBJECT  CHANGE
1.  patch  statefulsets app/db  annotation resize-0: (none) -> 2Gi
2.  patch  statefulsets app/db  annotation status: Growing: data=2Gi
3.  patch  persistentvolumeclaims app/data-db-0  request 1Gi -> 2Gi
4.  patch  persistentvolumeclaims app/data-db-1  request 1Gi -> 2Gi
5.  create  configmaps rso-system/srb-1  the whole set, sealed, then read back
6.  patch  configmaps rso-system/srb-1  phase -> deleting
7.  delete  statefulsets app/db  orphan: Pods and claims stay; this uid and version only
8.  create  statefulsets app/db  as it was, with data 1Gi -> 2Gi
9.  patch  configmaps rso-system/srb-1  phase -> superseded
10.  patch  statefulsets app/db  give each field back to its manager
11.  delete  configmaps rso-system/srb-1  the same Pods, the new sizes
12.  patch  statefulsets app/db  annotation status: Done: data=2Gi

These name the set as their owner; they stay, but without an owner, unless whoever made them \
writes it again: services/db

Then it is done. Nothing was changed.
"""
        == ran.out
    )
    assert (0, "") == (ran.code, ran.err)


def test_a_plan_changes_nothing(shop: Shop) -> None:
    """The set and its claims have the same versions after a plan, and no backup is made."""
    before = shop.sets.get("db")["metadata"]["resourceVersion"], shop.sets.requests()

    shop.rso("plan db data=2Gi wal=3Gi")

    assert before == (shop.sets.get("db")["metadata"]["resourceVersion"], shop.sets.requests())
    backups = shop.sets.cluster.list("configmap", shop.operator_namespace)
    assert [] == [each for each in backups if each["metadata"]["name"].startswith("srb-")]


def test_a_plan_is_data_too(shop: Shop) -> None:
    """JSON has the checks, the requests, what loses its owner, and how it ends."""
    made = json.loads(shop.rso("plan db 1=2Gi -o json").out)

    assert ("Done", "", "") == (made["phase"], made["reason"], made["message"])
    assert [True] * len(made["checks"]) == [each["ok"] for each in made["checks"]]
    assert {
        "verb": "patch",
        "resource": "persistentvolumeclaims",
        "namespace": "app",
        "name": "wal-db-0",
        "change": "request 1Gi -> 2Gi",
    } == made["requests"][2]
    assert ["services/db"] == made["losesOwner"]


def test_a_plan_that_is_blocked_fails(sets: Sets, rso: Rso) -> None:
    """What refuses is marked and quoted whole, its reason is named, and the end is 1."""
    limit = {"type": "PersistentVolumeClaim", "max": {"storage": "2Gi"}}
    sets.make(statefulset(replicas=1), settled=False)
    limits = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"}}
    sets.cluster.apply({**limits, "spec": {"limits": [limit]}}, sets.namespace)

    ran = rso("plan db data=3Gi")
    lines = ran.out.splitlines()

    assert "NO  claim data-db-0  refused with 403" == lines[3]
    assert (
        'claim data-db-0: 403: persistentvolumeclaims "data-db-0" is forbidden: maximum storage '
        "usage per PersistentVolumeClaim is 2Gi, but request is 3Gi" == lines[5]
    )
    assert lines[-1].startswith("Blocked: AdmissionRefuses: the API server refuses 3Gi")
    assert (1, "rso: app/db is blocked: AdmissionRefuses; nothing was changed\n") == (
        ran.code,
        ran.err,
    )


def test_each_guard_that_refuses_is_marked(sets: Sets, rso: Rso) -> None:
    """A class that does not expand and a quota without room are marked, each with what it has."""
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "disk"}}
    hard = {"spec": {"hard": {"requests.storage": "1Gi"}}}
    sets.cluster.apply({**quota, **hard}, sets.namespace)
    sets.make(statefulset(replicas=1, storage_class="fixed"), settled=False)
    sets.wait(lambda: used_storage(sets) == "1Gi", "the quota counts the claim")

    ran = rso("plan db data=2Gi")

    assert 1 == ran.code
    assert [
        "NO  storage class fixed  does not allow expansion",
        "NO  quota disk  requests.storage has 0 left of 1Gi",
        "NO  claim data-db-0  refused with 403",
    ] == ran.out.splitlines()[2:5]


def used_storage(sets: Sets) -> str | None:
    """Return what a quota counts as used."""
    found = sets.cluster.get("resourcequota", "disk", sets.namespace) or {}
    used: dict[str, str] = found.get("status", {}).get("used", {})
    return used.get("requests.storage")


def test_a_missing_right_is_no_refusal(cluster: Cluster, sets: Sets, rso: Rso) -> None:
    """A dry run that only the caller's rights refuse ends with 5 and names verb and resource."""
    sets.make(statefulset(replicas=1), settled=False)
    reader = cluster.service_account(rso.namespace, [READ])

    ran = Rso(reader.kubeconfig, rso.namespace, rso.operator_namespace)("plan db data=2Gi")

    assert 5 == ran.code
    assert 'cannot patch resource "persistentvolumeclaims"' in ran.err


def test_a_plan_needs_rights_in_the_namespace_only(cluster: Cluster, shop: Shop) -> None:
    """Without rights on classes, volumes and other kinds the dry runs decide, and gaps are told."""
    planner = cluster.service_account(shop.rso.namespace, PLANNER)

    ran = Rso(planner.kubeconfig, shop.rso.namespace, shop.operator_namespace)("plan db data=2Gi")
    lines = ran.out.splitlines()

    assert 0 == ran.code
    assert "ok  claim data-db-0  dry run accepts 2Gi" == lines[2]
    gap = next(line for line in lines if line.startswith("Your rights do not show"))
    assert "services" in gap
    assert "Then it is done. Nothing was changed." == lines[-1]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param("plan db data=2GB", 2, "write a whole or decimal number", id="a bad size"),
        pytest.param("plan db data", 2, "write TEMPLATE=SIZE, as data=20Gi", id="no size"),
        pytest.param("plan db logs=2Gi", 2, "the set has 0=data, 1=wal", id="no such template"),
        pytest.param("plan db 2=2Gi", 2, "'2' is no claim template", id="no such index"),
        pytest.param("plan db 0=2Gi data=3Gi", 2, "data is given twice", id="twice"),
        pytest.param("plan nope data=2Gi", 1, "no StatefulSet app/nope", id="no such set"),
        pytest.param("plan db data=900Gi", 1, "db is blocked: StepTooBig", id="too big a step"),
    ],
)
def test_a_bad_wish_says_how_to_write_it(shop: Shop, words: str, code: int, said: str) -> None:
    """A wish that cannot be has its code, and a sentence with what would do."""
    ran = shop.rso(words)

    assert code == ran.code
    assert said in ran.err


def test_a_plan_without_sizes_is_what_is_left(shop: Shop) -> None:
    """Without sizes the plan is of what is still to be done, here nothing."""
    expected = "There is nothing to do. Nothing was changed.\n"

    assert expected == shop.rso("plan db").out
