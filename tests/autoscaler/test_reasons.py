"""Every reason for no step, each on a set of its own: nothing is written, and a metric tells."""

import math
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from rso.core.names import Hold
from rso.core.times import format_time
from rso.core.usage import Sample
from tests.autoscaler.conftest import Scale
from tests.autoscaler.sets_of import MADE_SECONDS, make_all, own, scaled, wait_wishes
from tests.support.autoscalers import Odd, Scaler, Told
from tests.support.clocks import ShiftedClock
from tests.support.sets import PREFIX, Sets

pytestmark = pytest.mark.timeout(400)

FULL = 0.9


def dated(moment: datetime) -> Odd:
    """Return what dates a sample."""
    return lambda sample: replace(sample, taken_at=moment)


def shifted(by: timedelta) -> Odd:
    """Return what makes a sample older, or one of the future."""
    return lambda sample: replace(sample, taken_at=sample.taken_at + by)


def telling(**amounts: object) -> Odd:
    """Return what puts other amounts into a sample."""
    return lambda sample: replace(sample, **amounts)


def half(sample: Sample) -> Sample:
    """Return a sample of a file system of half the size, as full."""
    return replace(
        sample,
        capacity_bytes=sample.capacity_bytes / 2,
        used_bytes=sample.used_bytes / 2,
        available_bytes=sample.available_bytes / 2,
    )


ODD: dict[Hold, Odd] = {
    Hold.DISTRUSTED_UID: telling(claim_uid="another"),
    Hold.DISTRUSTED_NAN: telling(used_bytes=math.nan),
    Hold.DISTRUSTED_NEGATIVE: telling(available_bytes=-1.0),
    Hold.DISTRUSTED_FUTURE: shifted(timedelta(hours=1)),
    Hold.DISTRUSTED_STALE: shifted(-timedelta(hours=1)),
    Hold.DISTRUSTED_USED: telling(used_bytes=2.0**40),
    Hold.DISTRUSTED_INCOMPLETE: telling(used_bytes=0.0, available_bytes=0.0),
    Hold.DISTRUSTED_CAPACITY: half,
}
POLICY: dict[Hold, dict[str, str]] = {
    Hold.PAUSED: {"paused": "true"},
    Hold.AT_LIMIT: {"max-size": "1Gi"},
    Hold.STEPS_PER_DAY: {"steps-per-day": "1"},
    Hold.RESIZE_IN_FLIGHT: {"auto-resize-0": "2Gi"},  # nobody does it: no resizer runs
    Hold.COOLDOWN: {},
    Hold.NOT_YET_VISIBLE: {},
    Hold.NO_USAGE: {},
    Hold.BELOW_THRESHOLD: {},
    Hold.NO_PODS: {},
    Hold.BLOCK_MODE: {},
}


def name_of(hold: Hold) -> str:
    """Return the name of a set: `OneCheck` is `onecheck`."""
    return hold.value.lower()


def test_every_reason_holds(sets: Sets, told: Told, scale: Scale, clock: ShiftedClock) -> None:
    """Full sets with an odd sample, a limit or nothing to grow are left alone, each for its own."""
    holds = [Hold.ONE_CHECK, *ODD, *POLICY]
    manifests = [scaled(name_of(each), policy=POLICY.get(each, {})) for each in holds]
    block = next(each for each in manifests if each["metadata"]["name"] == "blockmode")
    block["spec"]["volumeClaimTemplates"][0]["spec"]["volumeMode"] = "Block"
    block["spec"]["template"]["spec"]["containers"][0].pop("volumeMounts")
    make_all(sets, manifests)
    told.fullness = {f"data-{name_of(each)}-0": FULL for each in holds}
    told.odd = {f"data-{name_of(each)}-0": odd for each, odd in ODD.items()}
    told.fullness[f"data-{name_of(Hold.BELOW_THRESHOLD)}-0"] = 0.1
    del told.fullness[f"data-{name_of(Hold.NO_USAGE)}-0"]
    empty = {"spec": {"replicas": 0}}
    sets.cluster.merge("statefulset", name_of(Hold.NO_PODS), sets.namespace, empty)
    gone = name_of(Hold.NO_PODS)
    sets.wait(lambda: not sets.pods(gone), "its Pods are gone", MADE_SECONDS)
    now = clock.now()
    told.odd[f"data-{name_of(Hold.ONE_CHECK)}-0"] = dated(now)  # again and again
    note(sets, "statefulset", name_of(Hold.STEPS_PER_DAY), "auto-steps-0", now - timedelta(hours=7))
    grown = {
        Hold.COOLDOWN: now - timedelta(hours=1),
        Hold.NOT_YET_VISIBLE: now + timedelta(seconds=25),
    }
    for hold, moment in grown.items():
        note(sets, "pvc", f"data-{name_of(hold)}-0", "grown-at", moment)

    with scale() as scaler:
        sets.wait(lambda: scaler.looks > 3, "it has looked")
        counted = {hold: count(scaler, "templates", hold) for hold in holds}

    assert dict.fromkeys(holds, 1) == counted
    wait_wishes(sets, {name_of(Hold.RESIZE_IN_FLIGHT): "2Gi"})


def note(sets: Sets, kind: str, name: str, key: str, moment: datetime) -> None:
    """Annotate an object with a time of ours."""
    body = {"metadata": {"annotations": {PREFIX + key: format_time(moment)}}}
    sets.cluster.merge(kind, name, sets.namespace, body)


def count(scaler: Scaler, what: str, hold: Hold) -> float:
    """Return how many templates or claims have a reason."""
    return scaler.metric(f"rso_autoscaled_{what}", reason=hold.value)


def test_a_claim_that_is_not_believed_is_counted(sets: Sets, told: Told, scale: Scale) -> None:
    """Of three replicas one lies: the metric has it, and a full one still makes all grow."""
    make_all(sets, [scaled(replicas=3)])
    told.fullness = {"data-db-0": 0.9, "data-db-1": 0.2, "data-db-2": 0.9}
    told.odd["data-db-2"] = telling(used_bytes=math.nan)

    with scale() as scaler:
        wait_wishes(sets, {"db": "2Gi"})
        distrusted = count(scaler, "claims", Hold.DISTRUSTED_NAN)

    assert 1 == distrusted


def test_at_the_bound_is_told_once(sets: Sets, told: Told, scale: Scale) -> None:
    """An Event and a lasting metric with the set's name, not an Event for each look."""
    make_all(sets, [scaled(policy={"max-size": "1Gi"})])
    told.fullness["data-db-0"] = 0.9

    with scale() as scaler:
        message = sets.wait_event("db", "AtLimit")
        told.fullness["data-db-0"] = 0.92
        last = scaler.looks
        sets.wait(lambda: scaler.looks > last + 10, "it has looked on")
        reasons = scaler.reasons()
        events = scaler.metric("rso_events_total", reason="AtLimit")

    assert {"db": "AtLimit"} == reasons
    assert 1 == events
    assert "AtLimit" in [reason for reason, _ in sets.events("db")]
    assert message == (
        "claim data-db-0 is 90 % full, and data has 1Gi of at most 1Gi; raise max-size, or clean up"
    )


def test_a_bad_annotation_is_told_by_its_name(sets: Sets, told: Told, scale: Scale) -> None:
    """The set is not autoscaled, with the name in Event and metric; mended, it goes on."""
    make_all(sets, [scaled(policy={"grow-at": "a lot"})])
    told.fullness["data-db-0"] = 0.9
    malformed = "rso_autoscale_malformed_statefulsets"

    with scale() as scaler:
        message = sets.wait_event("db", "Malformed")
        counted = scaler.metric(malformed, name="db", annotation="grow-at")
        sets.annotate("db", grow_at="70%")
        wait_wishes(sets, {"db": "2Gi"})
        after = scaler.metric(malformed)

    assert message.startswith("grow-at is 'a lot'; write a share from 20% to 99%")
    assert (1, 0) == (counted, after)
    assert "auto-steps-0" in own(sets.get("db"))
