"""The platform itself interferes while a set is away: quotas, and what the set owns besides."""

from tests.cluster.conftest import Interfere
from tests.cluster.looks import count
from tests.cluster.once import Once, wait_gone
from tests.support.operators import Operator
from tests.support.sets import Json, Sets, statefulset


def test_10_a_quota_lowered_in_the_gap_only_delays_the_create(
    sets: Sets, interfere: Interfere
) -> None:
    """A create refused by a quota is tried until it is accepted; the set comes back by itself."""
    sets.make(statefulset(replicas=0))

    def lower() -> None:
        wait_gone(sets)
        set_quota(sets, "0")

    with interfere(after=Once(lower).after) as operator:
        sets.annotate("db", resize_0="2Gi")
        sets.wait(lambda: 403 in creates(operator), "the create is refused")
        set_quota(sets, "1")
        sets.wait_status("db", "Done: data=2Gi")

    assert 1 == count(operator, "create statefulsets") == count(operator, "delete statefulsets")


def creates(operator: Operator) -> list[int | None]:
    """Return what the creates of sets were answered, dry ones aside."""
    return [
        sent.status
        for sent in operator.wire.sent
        if sent.request.verb == "create"
        and sent.request.resource.plural == "statefulsets"
        and sent.request.changes
    ]


def set_quota(sets: Sets, hard: str) -> None:
    manifest: Json = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "sets"},
        "spec": {"hard": {"count/statefulsets.apps": hard}},
    }
    sets.cluster.apply(manifest, sets.namespace)

    def counts() -> bool:
        [found] = sets.cluster.list("resourcequota", sets.namespace)
        status = found["status"]
        return bool(status.get("hard") == manifest["spec"]["hard"] and "used" in status)

    sets.wait(counts, "the quota counts")
