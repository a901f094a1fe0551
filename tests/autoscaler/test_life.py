"""The autoscaler dies, is two, loses the Lease, meets a poisoned set or a clock that jumps."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial

import pytest
from msgspec.structs import replace

from rso.app.scaler_metrics import REQUESTS
from rso.app.usage.source import Failure, Fault
from rso.kube.transport import Request, Response
from testbed.cluster import Cluster
from tests.autoscaler.conftest import Scale
from tests.autoscaler.sets_of import make_all, own, scaled, wait_wishes, wish, wishes
from tests.support.autoscalers import Scaler, Told, scaler_settings
from tests.support.clocks import ShiftedClock
from tests.support.rights import bind, rules
from tests.support.sets import Sets, statefulset
from tests.support.wire import Crash

pytestmark = pytest.mark.timeout(400)

SETS = 500
NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001  a time that no source may tell: it cannot be compared


def writes_wish(request: Request) -> bool:
    """Return whether a request writes a wish."""
    return request.verb == "patch" and request.resource.plural == "statefulsets"


def crash_before(request: Request) -> None:
    """Die before the wish is sent."""
    if writes_wish(request):
        raise Crash


def crash_after(request: Request, _: Response) -> None:
    """Die before the answer is known."""
    if writes_wish(request):
        raise Crash


@pytest.mark.parametrize(
    "hooks", [{"before": crash_before}, {"after": crash_after}], ids=["before", "after"]
)
def test_one_that_dies_at_its_write_is_followed_by_one_step_only(
    sets: Sets,
    told: Told,
    scale: Scale,
    operator_namespace: str,
    hooks: dict[str, Callable[..., None]],
) -> None:
    """Whether the wish arrived or not, the next instance leaves one wish and one noted step."""
    make_all(sets, [scaled()])
    told.fullness["data-db-0"] = 0.9
    settings = scaler_settings(sets.cluster, operator_namespace)
    dying = Scaler(sets.cluster, settings, sets.namespace, told, **hooks).start()
    dying.wait_dead()

    with scale() as scaler:
        wait_wishes(sets, {"db": "2Gi"})
        last = scaler.looks
        sets.wait(lambda: scaler.looks > last + 5, "it has looked on")

    found = own(sets.get("db"))
    assert ("2Gi", 1) == (found["auto-resize-0"], len(found["auto-steps-0"].split(",")))


def test_a_restart_forgets_samples_and_no_rule(sets: Sets, told: Told, scale: Scale) -> None:
    """With one step a day and a step taken, a new instance does not take another."""
    make_all(sets, [scaled(policy={"steps-per-day": "1", "cooldown": "0"})])
    told.fullness["data-db-0"] = 0.9
    with scale():
        wait_wishes(sets, {"db": "2Gi"})
    grown = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    sets.cluster.merge("pvc", "data-db-0", sets.namespace, grown)
    sets.wait(lambda: sets.claims()["data-db-0"]["status"]["capacity"]["storage"] == "2Gi", "grown")
    told.capacities["data-db-0"] = 2.0**31

    with scale() as scaler:
        sets.wait(lambda: scaler.reasons() == {"db": "StepsPerDay"}, "the brake holds")

    assert "2Gi" == wish(sets)


def test_only_the_leader_asks_and_a_clean_stop_hands_over(
    sets: Sets, told: Told, operator_namespace: str
) -> None:
    """The standby asks nobody; when the leader ends it begins at once."""
    make_all(sets, [scaled()])
    settings = partial(scaler_settings, sets.cluster, operator_namespace, leader_elect=True)
    first = Scaler(sets.cluster, settings(identity="first"), sets.namespace, told)
    other = Told(told.clock, {"data-db-0": 0.9})
    second = Scaler(sets.cluster, settings(identity="second"), sets.namespace, other)
    with ExitStack() as stack:
        first.start()
        stack.callback(first.kill)
        sets.wait(lambda: first.looks > 2, "the first one leads")
        second.start()
        stack.callback(second.kill)
        asked = list(other.asked)
        first.stop()
        wait_wishes(sets, {"db": "2Gi"})
        second.stop()

    assert [] == asked


def test_it_takes_exactly_these_rights(
    sets: Sets, told: Told, cluster: Cluster, operator_namespace: str
) -> None:
    """In one namespace with Role rights only: a step, its Event, a Lease; each is used."""
    granted = {plural: set(verbs) for plural, verbs in REQUESTS.items()}
    account = cluster.service_account(operator_namespace, rules({"leases": granted.pop("leases")}))
    bind(cluster, sets.namespace, account, granted)
    make_all(sets, [scaled()])
    told.fullness["data-db-0"] = 0.9
    settings = scaler_settings(
        cluster,
        operator_namespace,
        kubeconfig=account.kubeconfig,
        namespaces=(sets.namespace,),
        leader_elect=True,
    )
    scaler = Scaler(cluster, settings, sets.namespace, told).start()
    try:
        sets.wait_event("db", "WishRaised")
        last = scaler.looks
        sets.wait(lambda: scaler.looks > last + 15, "the Lease is renewed")
    finally:
        scaler.stop()

    used = {(each.request.resource.plural, each.request.verb) for each in scaler.wire.sent}
    allowed = {(plural, verb) for plural, verbs in REQUESTS.items() for verb in verbs}
    assert allowed - {("events", "patch")} == used
    assert 0 == scaler.metric("rso_requests_total", code="403")


@pytest.mark.timeout(400)
def test_a_poisoned_set_and_a_dead_node_hold_up_nobody(
    sets: Sets, told: Told, scale: Scale
) -> None:
    """Of 500 sets one cannot be read, one has a sample that breaks the rules; others go on."""
    empty = [scaled(f"empty-{number}", replicas=0) for number in range(SETS - 4)]
    poisoned = scaled("poisoned", policy={"cooldown": "soon"})
    make_all(sets, [*empty, poisoned, *(scaled(each) for each in ("broken", "dead", "full"))])
    told.fullness = dict.fromkeys(("data-poisoned-0", "data-broken-0", "data-full-0"), 0.9)
    told.odd["data-broken-0"] = lambda sample: replace(sample, taken_at=NAIVE)
    told.failures = (Failure("kubelet", "node-7", Fault.UNREACHABLE, "no route"),)

    with scale() as scaler:
        wait_wishes(sets, {"full": "2Gi"})
        sets.wait(lambda: scaler.metric("rso_autoscaled_statefulsets") == SETS, "all are looked at")
        failing = scaler.metric("rso_usage_failing", place="node-7", fault="Unreachable")
        failures = scaler.metric("rso_usage_failures_total", source="kubelet")
        malformed = scaler.metric("rso_autoscale_malformed_statefulsets", name="poisoned")

    assert (1, 1) == (failing, malformed)
    assert scaler.metric("rso_autoscale_failed_statefulsets_total") > 0
    assert failures > 1
    assert {"full": "2Gi"} == wishes(sets)


@pytest.mark.parametrize("days", [1, -1], ids=["ahead", "back"])
def test_samples_from_before_a_jump_of_the_clock_count_for_nothing(
    sets: Sets, told: Told, scale: Scale, clock: ShiftedClock, days: int
) -> None:
    """After a jump the checks begin anew, and then it goes on by the new clock."""
    make_all(sets, [scaled(policy={"checks": "10"})])

    with scale() as scaler:
        sets.wait(lambda: scaler.looks > 2, "it has looked")
        clock.offset = timedelta(days=days)
        sets.wait(lambda: scaler.metric("rso_clock_jumps_total") == 1, "it has seen the jump")
        told.fullness["data-db-0"] = 0.9
        wait_wishes(sets, {"db": "2Gi"})

    assert 1 == scaler.metric("rso_clock_jumps_total")


def test_somebody_else_who_writes_first_wins(
    sets: Sets, told: Told, operator_namespace: str
) -> None:
    """A set that changed since it was judged is a conflict: nothing is written over it."""
    make_all(sets, [scaled()])
    told.fullness["data-db-0"] = 0.9
    acted: list[str] = []

    def act(request: Request) -> None:
        if writes_wish(request) and not acted:
            acted.append("paused")
            sets.annotate("db", paused="true")

    settings = scaler_settings(sets.cluster, operator_namespace)
    scaler = Scaler(sets.cluster, settings, sets.namespace, told, before=act).start()
    try:
        sets.wait(lambda: acted and scaler.looks > 6, "it has tried and looked on")
        conflicts = scaler.metric("rso_autoscale_failed_writes_total", result="conflict")
    finally:
        scaler.stop()

    assert 1 == conflicts
    assert {} == wishes(sets)


def test_without_a_set_to_scale_nobody_is_asked(sets: Sets, told: Told, scale: Scale) -> None:
    """No usage is asked for, and no request is sent but watches."""
    sets.make(statefulset(replicas=1), settled=False)

    with scale() as scaler:
        sets.wait(lambda: scaler.looks > 5, "it has looked")

    assert [] == told.asked
    assert {"list", "watch"} == {each.request.verb for each in scaler.wire.sent}
