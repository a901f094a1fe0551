"""Evictions for filesystems that no node grows while they are mounted: refused, lost, cut off.

Volumes grow really; the node's part is played by the test.
"""

from collections.abc import Callable

import pytest

from rso.kube.errors import Unreachable
from rso.kube.transport import Request, Response
from testbed.api import MERGE
from tests.cluster.conftest import Interfere
from tests.cluster.test_rights import CLUSTER_ONLY, OWN, SETS
from tests.support.clocks import ShiftedClock
from tests.support.offline import CONSENT, grow_volumes, pass_time
from tests.support.rights import bind, rules
from tests.support.sets import Json, Sets, Snapshot, check_pods_kept, statefulset
from tests.support.wire import Crash

pytestmark = pytest.mark.changes("pods")  # that is what was asked for

EVICTION = "pods/eviction"


@pytest.fixture
def clock() -> ShiftedClock:
    """Return the operators' clock: nobody waits minutes in a test."""
    return ShiftedClock()


@pytest.fixture
def late(sets: Sets, clock: ShiftedClock) -> Callable[[], Snapshot]:
    """Return what makes the filesystems of both Pods late, once an operator runs."""
    sets.make(statefulset(replicas=2, storage_class="xfs", annotations=CONSENT))

    def grow() -> Snapshot:
        grow_volumes(sets, "2Gi")
        pass_time(sets, clock)
        return Snapshot.of(sets, "db")

    return grow


def is_eviction(request: Request) -> bool:
    return request.changes and request.resource.plural == EVICTION


def uids(sets: Sets) -> dict[str, str]:
    return {name: pod["metadata"]["uid"] for name, pod in sets.pods("db").items()}


def end_by_node(sets: Sets, before: Snapshot) -> None:
    """Play the kubelet until the set is done: it grows what Pods mount that came since."""
    begun = {name: pod["metadata"]["uid"] for name, pod in before.pods.items()}
    done: set[str] = set()

    def play() -> bool:
        for name, uid in uids(sets).items():
            if name not in done and begun.get(name) != uid:
                node_done(sets, f"data-{name}")
                done.add(name)
        return sets.status("db").startswith("Done")

    sets.wait(play, "the set is done", 90)


def node_done(sets: Sets, claim: str) -> None:
    """Write what a kubelet writes when the filesystem has grown."""
    status: Json = {
        "capacity": {"storage": "2Gi"},
        "conditions": [],
        "allocatedResourceStatuses": None,
    }
    path = f"/api/v1/namespaces/{sets.namespace}/persistentvolumeclaims/{claim}/status"
    sets.cluster.api.request("PATCH", path, {"status": status}, MERGE)


def budget(sets: Sets, least: int) -> None:
    """Allow evictions as long as this many Pods stay."""
    spec = {"selector": {"matchLabels": {"app": "db"}}, "minAvailable": least}
    made: Json = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "spec": spec}
    sets.cluster.apply({**made, "metadata": {"name": "db"}}, sets.namespace)


def test_71_a_budget_that_allows_none_is_respected(
    sets: Sets, interfere: Interfere, late: Callable[[], Snapshot], clock: ShiftedClock
) -> None:
    """No Pod goes; the status says why; when the budget allows it the evictions go on."""
    budget(sets, 2)

    with interfere(clock=clock) as operator:
        before = late()
        status = sets.wait_status("db", "Waiting: CannotEvict")
        check_pods_kept(before, Snapshot.of(sets, "db"))
        budget(sets, 1)
        end_by_node(sets, before)

    assert status == (
        "Waiting: CannotEvict: a PodDisruptionBudget does not allow Pod db-1 to be evicted now, "
        "and its filesystem grows only when it is mounted anew; it is tried again"
    )
    tried = [each for each in operator.wire.sent if is_eviction(each.request)]
    assert [("db-1", 201), ("db-0", 201)] == [(each.request.name, each.status) for each in tried]


def test_71_a_budget_that_comes_between_is_respected(
    sets: Sets, interfere: Interfere, late: Callable[[], Snapshot], clock: ShiftedClock
) -> None:
    """One that did not stand when the eviction was asked about refuses it in earnest: told once."""
    tried: list[int] = []

    def forbid(request: Request) -> None:
        if is_eviction(request) and not tried:
            budget(sets, 2)
            name = "poddisruptionbudget"
            sets.wait(lambda: observed(sets.cluster.get(name, "db", sets.namespace)), "a budget")

    def note(request: Request, response: Response) -> None:
        if is_eviction(request):
            tried.append(response.status)

    with interfere(forbid, note, clock=clock):
        before = late()
        sets.wait_status("db", "Waiting: CannotEvict")
        check_pods_kept(before, Snapshot.of(sets, "db"))
        budget(sets, 1)
        end_by_node(sets, before)

    assert [429, 201, 201] == tried


def observed(found: Json | None) -> bool:
    """Return whether the disruption controller has counted for a budget."""
    status = (found or {}).get("status", {})
    return bool(status.get("observedGeneration") and status.get("desiredHealthy"))


def test_71_two_budgets_over_one_pod_are_told(
    sets: Sets, interfere: Interfere, late: Callable[[], Snapshot], clock: ShiftedClock
) -> None:
    """Kubernetes evicts no Pod that two budgets select; the status repeats its words."""
    budget(sets, 1)
    second = {"selector": {"matchLabels": {"app": "db"}}, "minAvailable": 1}
    made: Json = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "spec": second}
    sets.cluster.apply({**made, "metadata": {"name": "second"}}, sets.namespace)

    with interfere(clock=clock):
        before = late()
        status = sets.wait_status("db", "Blocked: CannotEvict")
        check_pods_kept(before, Snapshot.of(sets, "db"))

    assert "refused with 500" in status
    assert "more than one PodDisruptionBudget" in status


def test_71_evicting_is_a_right_of_its_own(
    sets: Sets,
    interfere: Interfere,
    late: Callable[[], Snapshot],
    clock: ShiftedClock,
    operator_namespace: str,
) -> None:
    """Without it the set says which right is missing; with it nothing more is needed."""
    everywhere = rules(SETS | CLUSTER_ONLY)
    account = sets.cluster.service_account(operator_namespace, rules(OWN), everywhere)

    with interfere(clock=clock, kubeconfig=account.kubeconfig, leader_elect=True) as operator:
        before = late()
        status = sets.wait_status("db", "Blocked: CannotEvict")
        check_pods_kept(before, Snapshot.of(sets, "db"))
        bind(sets.cluster, sets.namespace, account, {EVICTION: {"create"}})
        sets.annotate("db", checks="3")
        end_by_node(sets, before)

    assert 'cannot create resource "pods/eviction"' in status
    used = {(each.request.resource.plural, each.request.verb) for each in operator.wire.sent}
    assert (EVICTION, "create") in used


def test_a_pod_that_somebody_replaced_meanwhile_is_not_evicted(
    sets: Sets, interfere: Interfere, late: Callable[[], Snapshot], clock: ShiftedClock
) -> None:
    """The eviction names the Pod's uid: the one that took its name stays, and needs none."""
    tried: list[int] = []

    def replace(request: Request) -> None:
        if is_eviction(request) and not tried:
            old = uids(sets)["db-1"]
            sets.cluster.delete("pod", "db-1", sets.namespace)
            sets.wait(lambda: uids(sets).get("db-1", old) != old, "another Pod db-1")

    def note(request: Request, response: Response) -> None:
        if is_eviction(request):
            tried.append(response.status)

    with interfere(replace, note, clock=clock) as operator:
        before = late()
        end_by_node(sets, before)

    names = [each.request.name for each in operator.wire.sent if is_eviction(each.request)]
    assert [("db-1", 409), ("db-0", 201)] == list(zip(names, tried, strict=True))


def test_an_operator_that_dies_before_an_eviction_leaves_it_to_the_next(
    sets: Sets, interfere: Interfere, late: Callable[[], Snapshot], clock: ShiftedClock
) -> None:
    """Nothing is remembered, and nothing is needed: each Pod goes once."""

    def die(request: Request) -> None:
        if is_eviction(request):
            raise Crash

    with interfere(die, clock=clock) as first:
        before = late()
        first.wait_dead()
        check_pods_kept(before, Snapshot.of(sets, "db"))
    with interfere(clock=clock) as second:
        end_by_node(sets, before)

    sent = [each.request.name for each in second.wire.sent if is_eviction(each.request)]
    assert ["db-1", "db-0"] == sent


@pytest.mark.parametrize("is_killed", [False, True], ids=["lost", "killed"])
def test_an_eviction_whose_answer_is_lost_is_not_done_twice(
    sets: Sets,
    interfere: Interfere,
    late: Callable[[], Snapshot],
    clock: ShiftedClock,
    *,
    is_killed: bool,
) -> None:
    """Whoever goes on sees by the Pod's uid what has happened: each Pod goes once."""
    evicted: list[str | None] = []

    def lose(request: Request, response: Response) -> None:
        if not is_eviction(request) or response.status != 201:
            return
        evicted.append(request.name)
        if len(evicted) == 1:
            raise Crash if is_killed else Unreachable("the answer was lost", sent=True)

    with interfere(None, lose, clock=clock) as first:
        before = late()
        sets.wait(lambda: evicted, "the first eviction")
        if is_killed:
            first.wait_dead()
        else:
            end_by_node(sets, before)
    if is_killed:
        with interfere(None, lose, clock=clock):
            end_by_node(sets, before)

    assert ["db-1", "db-0"] == evicted
    assert not set(uids(sets).values()) & {pod["metadata"]["uid"] for pod in before.pods.values()}
