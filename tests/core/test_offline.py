"""Filesystems that grow only when they are mounted anew: which Pod is evicted, and when none is."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from rso.core.actions import AskEviction, Blocked, Done, EvictPod, Wait
from rso.core.effects import done
from rso.core.fold import fold
from rso.core.model import Claim
from rso.core.names import GROWN_AT, Reason
from rso.core.plan import plan
from rso.core.pods import Pod
from rso.core.times import format_time
from rso.core.world import Refusal, World
from tests.factories import (
    NOW,
    Json,
    claim,
    outcome,
    pod,
    pods,
    whole_set,
    with_answers,
    world,
)

EVICT = {"resize-0": "20Gi", "offline": "evict"}
BUDGET = Refusal(429, "TooManyRequests", "Cannot evict pod as it would violate the budget.")


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def late(ordinal: int, minutes: float = 10, grown_minutes: float | None = None) -> Claim:
    """Return a claim whose volume has grown so long ago, and whose filesystem has not."""
    pending = {
        "type": "FileSystemResizePending",
        "status": "True",
        "lastTransitionTime": format_time(ago(minutes)),
    }
    status = {
        "conditions": [pending],
        "allocatedResourceStatuses": {"storage": "NodeResizePending"},
    }
    grown = {} if grown_minutes is None else {GROWN_AT: format_time(ago(grown_minutes))}
    metadata = {"annotations": grown}
    return claim(f"data-db-{ordinal}", "20Gi", "10Gi", status=status, metadata=metadata)


def grown(ordinal: int) -> Claim:
    return claim(f"data-db-{ordinal}", "20Gi", "20Gi")


def made(ordinal: int, minutes: float = 60, *, is_ready: bool = True, **changes: Json) -> Pod:
    """Return a Pod that was made so long ago, and was ready two minutes later."""
    ready = {
        "type": "Ready",
        "status": str(is_ready),
        "lastTransitionTime": format_time(ago(minutes - 2)),
    }
    metadata = {"creationTimestamp": format_time(ago(minutes)), **changes.pop("metadata", {})}
    status = {"conditions": [ready], **changes.pop("status", {})}
    return pod(f"db-{ordinal}", metadata=metadata, status=status)


THREE = (made(0), made(1), made(2))
LATE = (late(0), late(1), late(2))


def start(
    *listed: Pod,
    claims: tuple[Claim, ...] = LATE,
    annotations: dict[str, str] | None = None,
    **changes: Json,
) -> World:
    """Return a set that is done but for filesystems, and its Pods as just listed."""
    live = whole_set(annotations or EVICT, {"data": "20Gi"}, **changes)
    return with_answers(world(live, claims=claims), pods=pods(*(listed or THREE)))


def test_the_last_pod_goes_first() -> None:
    """Like a rolling update: from the highest ordinal down."""
    assert EvictPod("db-2", "uid-db-2") == outcome(start())


def test_an_eviction_is_asked_about_before() -> None:
    """What a budget or a missing right refuses is known before the status says that it goes on."""
    growing = start(annotations={**EVICT, "status": "Growing: data=20Gi"})

    assert AskEviction("db-2", "uid-db-2") == plan(growing)


@pytest.mark.parametrize("minutes", [0, 4.9])
def test_an_online_resize_has_its_time(minutes: float) -> None:
    """Five minutes from the end of the controller's part; then the next look is due."""
    found = outcome(start(claims=(late(0, minutes),), spec={"replicas": 1}))

    assert isinstance(found, Wait)
    assert found.reason is None
    assert pytest.approx((5 - minutes) * 60 + 1) == found.seconds


def test_the_time_counts_from_our_own_patch() -> None:
    """A condition left from an older growth does not make a new one late."""
    found = outcome(start(claims=(late(0, 60, grown_minutes=2),), spec={"replicas": 1}))

    assert isinstance(found, Wait)
    assert "the filesystem of claim data-db-0 is growing" == found.sentence


def test_each_pod_is_evicted_once() -> None:
    """One that has started since its volume grew is not evicted for it again."""
    listed = (made(0), made(1), made(2, minutes=8))

    assert EvictPod("db-1", "uid-db-1") == outcome(start(*listed))


def test_a_pod_that_started_in_vain_is_told_in_the_end() -> None:
    """When no eviction helps, the claim counts as stuck after a quarter of an hour."""
    listed = (made(0), made(1), made(2, minutes=16))
    found = outcome(start(*listed, claims=(grown(0), grown(1), late(2, 20, 20))))

    assert isinstance(found, Blocked)
    assert Reason.STUCK == found.reason


@pytest.mark.parametrize(
    ("pod_away", "sentence"),
    [
        pytest.param(made(2, 4, is_ready=False), "Pod db-2 is not ready", id="not ready yet"),
        pytest.param(
            made(2, metadata={"deletionTimestamp": format_time(ago(0))}),
            "Pod db-2 is going",
            id="going",
        ),
        pytest.param(made(2, 0), "Pod db-2 was created or adopted just now", id="just there"),
    ],
)
def test_the_next_goes_when_the_last_is_ready(pod_away: Pod, sentence: str) -> None:
    """A Pod on its way is waited for silently: the status stays that the set grows."""
    found = outcome(start(made(0), made(1), pod_away, claims=(late(0), late(1), late(2, 60))))

    assert (
        Wait(
            f"the next Pod is started anew for its filesystem later: {sentence}",
            seconds=5.0,
        )
        == found
    )


def test_a_pod_that_stays_away_is_told() -> None:
    """After five minutes a person hears what is waited for."""
    listed = (made(0), made(1), made(2, 9, is_ready=False))
    found = outcome(start(*listed, claims=(late(0), late(1), grown(2))))

    assert isinstance(found, Wait)
    assert Reason.NOT_QUIET == found.reason
    assert found.sentence.endswith("Pod db-2 is not ready")


def test_a_missing_pod_is_waited_for() -> None:
    """An eviction takes one Pod away from a whole set, never from one that misses another."""
    found = outcome(start(made(0), made(1), claims=(late(0), late(1), grown(2))))

    assert isinstance(found, Wait)
    assert found.sentence.endswith("Pod db-2 is missing")


def test_ready_means_for_long_enough() -> None:
    """The set's minReadySeconds count before the next one goes."""
    listed = (made(0), made(1), made(2, 9))
    claims = (late(0), late(1), grown(2))
    slow = start(*listed, claims=claims, spec={"minReadySeconds": 8 * 60})

    assert isinstance(outcome(slow), Wait)
    assert EvictPod("db-1", "uid-db-1") == outcome(start(*listed, claims=claims))


@pytest.mark.parametrize(("seconds", "goes"), [(0, True), (1, False)])
def test_a_pod_whose_ready_time_is_unknown(seconds: int, goes: bool) -> None:  # noqa: FBT001  a table
    """It is ready; for how long nobody can tell."""
    listed = (pod("db-0"), made(1))
    claims = (grown(0), late(1))
    found = outcome(start(*listed, claims=claims, spec={"replicas": 2, "minReadySeconds": seconds}))

    assert isinstance(found, EvictPod if goes else Wait)


def test_pods_that_crash_on_their_full_disks_are_cured() -> None:
    """None of them is ready, and each waits only for itself: they go one by one all the same."""
    full = tuple(made(ordinal, is_ready=False) for ordinal in range(3))

    assert EvictPod("db-2", "uid-db-2") == outcome(start(*full))


def test_one_that_is_not_ready_goes_before_the_others() -> None:
    """It serves nobody, so its restart costs nothing."""
    listed = (made(0), made(1, is_ready=False), made(2))

    assert EvictPod("db-1", "uid-db-1") == outcome(start(*listed))


def test_no_ready_pod_goes_while_another_is_away() -> None:
    """Two Pods of a set are never away because of us, not even for a moment."""
    listed = (made(0, is_ready=False), made(1), made(2))
    found = outcome(start(*listed, claims=(grown(0), late(1), late(2))))

    assert isinstance(found, Wait)
    assert found.sentence.endswith("Pod db-0 is not ready")


@pytest.mark.parametrize("phase", ["Pending", "Succeeded"])
def test_a_pod_that_does_not_run_is_left_alone(phase: str) -> None:
    """What is not mounted grows when it is; there is nothing to evict."""
    one = made(0, is_ready=False, status={"phase": phase})
    found = outcome(start(one, claims=(late(0),), spec={"replicas": 1}))

    assert isinstance(found, Wait)
    assert "the filesystem of claim data-db-0 is growing" == found.sentence


def test_a_rolling_update_ends_first() -> None:
    """It starts Pods anew itself."""
    found = outcome(start(status={"updateRevision": "db-2"}))

    assert isinstance(found, Wait)
    assert Reason.ROLLING_UPDATE == found.reason


def test_a_budget_that_allows_none_is_respected() -> None:
    """It is told, and asked again; the Pod stays."""
    refused = with_answers(start(), evictions={"uid-db-2": BUDGET})

    assert Wait(
        "a PodDisruptionBudget does not allow Pod db-2 to be evicted now, and its filesystem "
        "grows only when it is mounted anew; it is tried again",
        Reason.CANNOT_EVICT,
        1.0,
    ) == outcome(refused)


def test_a_missing_right_is_named() -> None:
    """Evicting is an optional right; who opts in without granting it is told the server's words."""
    no = Refusal(403, "Forbidden", 'cannot create resource "pods/eviction"')
    found = outcome(with_answers(start(), evictions={"uid-db-2": no}))

    assert (
        Blocked(
            Reason.CANNOT_EVICT,
            "Pod db-2 has to be evicted so that its filesystem grows, and that is refused with "
            "403: 'cannot create resource \"pods/eviction\"'; allow it, or delete the Pod yourself",
        )
        == found
    )


def test_a_set_that_did_not_opt_in_gets_its_commands() -> None:
    """No Pod is touched without consent; the commands that cure it are told."""
    found = outcome(start(annotations={"resize-0": "20Gi"}))

    assert (
        Blocked(
            Reason.NEEDS_DOWNTIME,
            "the volume of claim data-db-2 has grown, but its node grows the filesystem only when "
            "it is mounted anew; set the annotation offline to evict, or, when the Pod may "
            "restart, run: kubectl -n shop delete pod db-2; then, each when the last is ready: "
            "db-1, db-0",
        )
        == found
    )


def test_one_pod_gets_one_command() -> None:
    """Where only one Pod needs it, no others are named."""
    found = outcome(start(annotations={"resize-0": "20Gi"}, claims=(grown(0), late(1), grown(2))))

    assert isinstance(found, Blocked)
    assert found.sentence.endswith("run: kubectl -n shop delete pod db-1")


def test_a_paused_set_loses_no_pod() -> None:
    """Paused means: nothing is done."""
    found = outcome(start(annotations={**EVICT, "paused": "true"}))

    assert isinstance(found, Wait)
    assert Reason.PAUSED == found.reason


def test_a_wrong_word_is_told() -> None:
    """Only `evict` opts in; what anything else would mean nobody guesses."""
    found = outcome(start(annotations={**EVICT, "offline": "true"}))

    assert Blocked(Reason.MALFORMED, "offline is 'true'; write evict") == found


def test_folded_it_ends_in_done() -> None:
    """On an obedient cluster each Pod is evicted once, and then everything is there."""
    steps = fold(start())

    evicted = [each.pod for each in steps if isinstance(each, EvictPod)]
    assert ["db-2", "db-1", "db-0"] == evicted
    assert isinstance(steps[-1], Done)


def test_claims_of_another_template_are_served_by_the_same_eviction() -> None:
    """A Pod with two late claims is evicted once for both."""
    live = whole_set(
        {"resize-0": "20Gi", "resize-1": "20Gi", "offline": "evict"},
        {"data": "20Gi", "log": "20Gi"},
        spec={"replicas": 1},
    )
    log = replace(late(0), metadata=replace(late(0).metadata, name="log-db-0"))
    before = with_answers(world(live, claims=(late(0), log)), pods=pods(made(0)))

    steps = fold(before)
    assert 1 == len([each for each in steps if isinstance(each, EvictPod)])
    assert isinstance(steps[-1], Done)


def test_an_eviction_is_played_without_a_list_of_pods() -> None:
    """The claims of the Pod grow whether or not its set's Pods were listed."""
    after = done(with_answers(start(), pods=None), EvictPod("db-2", "uid-db-2"))

    assert after.answers.pods is None
    assert ["10Gi", "10Gi", "20Gi"] == [each.capacity for each in after.claims]
