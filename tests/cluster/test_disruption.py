"""What the platform's own controllers do while a set is away: disruption budgets, autoscalers.

The sets are kept away by the test for as long as those controllers need to look.
"""

import json

import pytest

from tests.cluster.once import go_away
from tests.support.recording import Record
from tests.support.sets import Json, Sets, statefulset

LABEL = {"tier": "storage"}


def labelled(name: str, replicas: int) -> Json:
    """Return a set whose Pods bear a label that another set's may have, too."""
    made = statefulset(name, replicas=replicas)
    made["spec"]["template"]["metadata"]["labels"] |= LABEL
    return made


def budget(sets: Sets, kind: str, value: int) -> None:
    spec: Json = {"selector": {"matchLabels": LABEL}, kind: value}
    sets.cluster.apply(
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "storage"},
            "spec": spec,
        },
        sets.namespace,
    )


def status(sets: Sets) -> Json:
    """Return what the disruption controller has counted."""
    found = sets.cluster.get("poddisruptionbudget", "storage", sets.namespace) or {}
    counted: Json = found.get("status", {})
    return counted


def evict(sets: Sets, pod: str) -> int:
    """Return how an eviction is answered."""
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    path = f"/api/v1/namespaces/{sets.namespace}/pods/{pod}/eviction"
    return sets.cluster.api.send("POST", path, eviction)[0]


def count_again(sets: Sets) -> None:
    """Have the disruption controller count once more, because its budget has changed."""
    before = status(sets)["observedGeneration"]
    changed = {"spec": {"unhealthyPodEvictionPolicy": "IfHealthyBudget"}}
    sets.cluster.merge("poddisruptionbudget", "storage", sets.namespace, changed)
    sets.wait(lambda: status(sets)["observedGeneration"] > before, "the budget has counted again")


def test_33_a_budget_of_what_may_be_missing_allows_nothing_in_the_gap(
    sets: Sets, record: Record
) -> None:
    """`maxUnavailable: 1` allows one eviction before; without the set it allows none."""
    sets.make(labelled("db", 3), settled=False)
    budget(sets, "maxUnavailable", 1)
    sets.wait(lambda: status(sets).get("disruptionsAllowed") == 1, "one eviction is allowed")

    go_away(sets)
    sets.wait(lambda: status(sets)["disruptionsAllowed"] != 1, "the budget has seen the gap")
    answer = evict(sets, "db-0")

    record(f"{answer}, expectedPods {status(sets)['expectedPods']}")
    assert 0 == status(sets)["disruptionsAllowed"]
    assert 429 == answer


def test_33_a_budget_of_what_must_be_there_counts_on_in_the_gap(sets: Sets) -> None:
    """`minAvailable: 2` of three Pods allows one eviction in the gap as before, and no second."""
    sets.make(labelled("db", 3), settled=False)
    budget(sets, "minAvailable", 2)
    sets.wait(lambda: status(sets).get("disruptionsAllowed") == 1, "one eviction is allowed")

    go_away(sets)
    count_again(sets)
    answers = [evict(sets, pod) for pod in ("db-0", "db-1")]

    assert [201, 429] == answers


def test_33_a_budget_over_two_sets_allows_at_most_the_missing_share_more(
    sets: Sets, record: Record
) -> None:
    """With one of two sets away a budget allows at most that set's Pods more than before."""
    for name in ("db", "twin"):
        sets.make(labelled(name, 2), settled=False)
    budget(sets, "maxUnavailable", 1)
    sets.wait(lambda: status(sets).get("disruptionsAllowed") == 1, "one eviction is allowed")

    go_away(sets)
    sets.wait(lambda: status(sets)["expectedPods"] != 4, "the budget has seen the gap")
    allowed = status(sets)["disruptionsAllowed"]

    record(f"allowed 1 before, {allowed} in the gap")
    assert allowed <= 1 + 2


@pytest.fixture
def autoscaler(sets: Sets) -> str:
    """Return the path of an autoscaler of `db`, 2 to 4 replicas; it goes with its namespace."""
    target = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db"}
    spec = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 4}
    path = f"/apis/autoscaling/v2/namespaces/{sets.namespace}/horizontalpodautoscalers"
    sets.cluster.api.request("POST", path, {"metadata": {"name": "db"}, "spec": spec})
    return f"{path}/db"


def able_to_scale(sets: Sets, path: str) -> tuple[str, str]:
    """Return (time, reason) of the autoscaler's condition about its set."""
    conditions = sets.cluster.api.request("GET", path).get("status", {}).get("conditions", [])
    found = [each for each in conditions if each["type"] == "AbleToScale"]
    return (found[0]["lastTransitionTime"], found[0]["reason"]) if found else ("", "")


def test_34_an_autoscaler_that_looks_into_the_gap_changes_nothing(
    sets: Sets, autoscaler: str, record: Record
) -> None:
    """An autoscaler tells that it cannot get the scale, and the replicas are kept afterwards."""
    sets.make(statefulset(replicas=3), settled=False)
    sets.wait(lambda: able_to_scale(sets, autoscaler)[1] == "SucceededGetScale", "it has looked")

    go_away(sets)
    sets.wait(lambda: able_to_scale(sets, autoscaler)[1] == "FailedGetScale", "it looks in the gap")
    sets.cluster.apply(statefulset(replicas=3), sets.namespace)
    sets.wait(lambda: able_to_scale(sets, autoscaler)[1] == "SucceededGetScale", "it looks again")

    events = [
        each["reason"]
        for each in sets.cluster.list("event", sets.namespace)
        if each["involvedObject"]["kind"] == "HorizontalPodAutoscaler"
    ]
    record(f"events of the autoscaler: {json.dumps(sorted(set(events)))}")
    assert "FailedGetScale" in events
    assert "SuccessfulRescale" not in events
    assert 3 == sets.get("db")["spec"]["replicas"]
