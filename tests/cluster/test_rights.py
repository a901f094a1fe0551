"""The rights of the resizer: exactly those that are used, in both modes (safety.md section 8)."""

from collections.abc import Iterable

import pytest

from rso.app.metric_table import REQUESTS
from testbed.cluster import Cluster
from tests.cluster.conftest import Interfere
from tests.support.rights import bind, rules
from tests.support.sets import Json, Sets, make_unready, statefulset, template_sizes
from tests.support.wire import Sent

Pair = tuple[str, str]

SETS: dict[str, set[str]] = {
    "statefulsets": {"get", "list", "watch", "create", "delete", "patch"},
    "persistentvolumeclaims": {"get", "list", "watch", "patch"},
    "pods": {"list"},
    "controllerrevisions": {"list"},
    "resourcequotas": {"list"},
    "events": {"create", "patch"},
}
CLUSTER_ONLY = {"storageclasses": {"get"}, "persistentvolumes": {"get"}}
# Only where sets may say `offline: evict`
OPTIONAL = {"pods/eviction": {"create"}}
OWN = {
    "configmaps": {"get", "list", "watch", "create", "patch", "delete"},
    "leases": {"get", "create", "update"},
    "namespaces": {"get"},
}


def pairs(granted: dict[str, set[str]]) -> set[Pair]:
    return {(plural, verb) for plural, verbs in granted.items() for verb in verbs}


def test_the_requests_that_are_counted_from_the_start_are_those_of_the_roles() -> None:
    """What the resizer may ask for, and what its metric has series for, is one list."""
    assert pairs(SETS | CLUSTER_ONLY | OWN | OPTIONAL) == {
        (plural, verb) for plural, verbs in REQUESTS.items() for verb in verbs
    }


def used(sent: Iterable[Sent]) -> set[Pair]:
    return {(each.request.resource.plural, each.request.verb) for each in sent}


@pytest.mark.parametrize("is_narrow", [True, False], ids=["90 namespaced", "cluster"])
def test_every_right_is_used_and_none_is_missing(
    sets: Sets, interfere: Interfere, operator_namespace: str, *, is_narrow: bool
) -> None:
    """A resize, a refusal and a Retain step need exactly the rights granted, no more, no less."""
    everywhere = {} if is_narrow else SETS | CLUSTER_ONLY
    account = sets.cluster.service_account(
        operator_namespace, rules(OWN), rules(everywhere) if everywhere else ()
    )
    if is_narrow:
        bind(sets.cluster, sets.namespace, account, SETS)
    policy: Json = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}
    sets.make(statefulset(replicas=1, podManagementPolicy="OrderedReady", **policy))
    make_unready(sets, "db-0")  # then only we remove the claim's reference
    scope = {"namespaces": (sets.namespace,)} if is_narrow else {}

    with interfere(kubeconfig=account.kubeconfig, leader_elect=True, **scope) as operator:
        sets.annotate("db", resize_0="nonsense")
        sets.wait_status("db", "Blocked: Malformed")
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done: data=2Gi")
        refused_twice(sets)

    granted = pairs(SETS | OWN) | (set() if is_narrow else pairs(CLUSTER_ONLY))
    assert granted == used(operator.wire.sent)
    forbidden = [each.words for each in operator.wire.sent if each.status in (401, 403)]
    assert [] == forbidden
    assert {"data": "2Gi"} == template_sizes(sets.get("db"))


def refused_twice(sets: Sets) -> None:
    """Have the same words said twice about the set, so that an Event is counted up."""
    for wish in ("nonsense", "2Gi", "nonsense"):
        sets.annotate("db", resize_0=wish)
        sets.wait_status("db", "Blocked: Malformed" if wish == "nonsense" else "Done")
    told = "Malformed"

    def is_counted() -> bool:
        found = sets.cluster.list("event", sets.namespace)
        return any(each["reason"] == told and each.get("count", 1) > 1 for each in found)

    sets.wait(is_counted, "the Event is counted up")


def test_90_sets_out_of_scope_are_not_touched(
    sets: Sets, cluster: Cluster, interfere: Interfere, operator_namespace: str
) -> None:
    """An operator for one namespace neither reads nor changes another one."""
    account = cluster.service_account(operator_namespace, rules(OWN))
    bind(cluster, sets.namespace, account, SETS)
    elsewhere = Sets(cluster, cluster.make_namespace())
    try:
        for each in (sets, elsewhere):
            each.make(statefulset(replicas=0))
            each.annotate("db", resize_0="2Gi")
        scope = (sets.namespace,)
        with interfere(kubeconfig=account.kubeconfig, namespaces=scope) as operator:
            sets.wait_status("db", "Done: data=2Gi")

        assert {"data": "1Gi"} == template_sizes(elsewhere.get("db"))
        assert elsewhere.namespace not in {each.request.namespace for each in operator.wire.sent}
    finally:
        cluster.leave_namespace(elsewhere.namespace)
