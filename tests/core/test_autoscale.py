"""The autoscaler's decision: each field of the policy, and how far a step goes."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from msgspec.structs import replace

from rso.core.autoscale import Scaled, Usage, decide
from rso.core.faults import Fault
from rso.core.judge import Change, Limits
from rso.core.names import Hold, Reason
from rso.core.times import format_time
from tests.core.usages import (
    LIMITS,
    ago,
    condition,
    full,
    outcome,
    row,
    sample,
    scaled,
    usage,
    written,
)
from tests.factories import BOUNDS, GIB, NOW, Json, claim, own, statefulset, unbound


@dataclass
class Case:
    """Usages, annotations of the set, and the size that is asked for."""

    expected: str
    usages: tuple[Usage, ...] = field(default_factory=lambda: (full(),))
    annotations: dict[str, str] = field(default_factory=dict)
    changes: Json = field(default_factory=dict)
    template: str = "10Gi"


SIZES = {
    "the next power of two": Case("128Gi"),
    "63Gi goes past 64Gi, which would not help": Case("128Gi", (full(request="63Gi"),)),
    "65Gi to 128Gi": Case("128Gi", (full(request="65Gi"),)),
    "a power of two beyond the next": Case(
        "128Gi", (full(0.99, request="60Gi"),), {"grow_at": "60%"}
    ),
    "and one more": Case("256Gi", (full(0.99, request="60Gi"),), {"grow_at": "50%"}),
    "below a gibibyte": Case("1Gi", (usage(0.85, 0.85, request="300Mi"),), template="300Mi"),
    "a share": Case("80Gi", annotations={"grow_by": "25%"}),
    "a share that is repeated until it helps": Case("80Gi", annotations={"grow_by": "5%"}),
    "a share, in whole mebibytes below a gibibyte": Case(
        "375Mi", (usage(0.85, 0.85, request="300Mi"),), {"grow_by": "25%"}, template="300Mi"
    ),
    "bytes": Case("84Gi", annotations={"grow_by": "20Gi"}),
    "bytes that are repeated until they help": Case("78Gi", annotations={"grow_by": "1Gi"}),
    "grow-min": Case("114Gi", annotations={"grow_by": "25%", "grow_min": "50Gi"}),
    "grow-min with powers of two": Case("256Gi", annotations={"grow_min": "100Gi"}),
    "grow-max cuts what would help": Case("65Gi", annotations={"grow_max": "1Gi"}),
    "grow-max wins over grow-min": Case(
        "66Gi", annotations={"grow_min": "50Gi", "grow_max": "2Gi"}
    ),
    "the set's bound cuts": Case("100Gi", annotations={"max_size": "100Gi"}),
    "the bound wins over grow-min": Case(
        "100Gi", annotations={"max_size": "100Gi", "grow_min": "64Gi"}
    ),
    "the operator's bound cuts": Case("2000Gi", (full(request="1500Gi"),)),
    "ten times at most": Case(
        "10Gi", (usage(0.9, 0.9, request="1Gi"),), {"grow_by": "90Gi"}, template="1Gi"
    ),
    "the fullest replica decides": Case(
        "128Gi", (full(), full(0.99, name="data-db-1", request="80Gi")), {"grow_by": "16Gi"}
    ),
    "the largest request counts, though it is not full": Case(
        "256Gi", (full(), full(0.1, name="data-db-1", request="200Gi"))
    ),
    "a left-over claim counts": Case("512Gi", (full(), full(name="data-db-7", request="300Gi"))),
    "an unbound claim counts": Case("256Gi", (full(), Usage(unbound("data-db-1", "128Gi")))),
    "free bytes": Case("16Gi", (usage(0.52, 0.52),), {"grow_at": "5Gi"}),
    "free bytes, first reached": Case("16Gi", (usage(0.52, 0.52),), {"grow_at": "80%,5Gi"}),
    "the share, first reached": Case("128Gi", annotations={"grow_at": "80%,5Gi"}),
    "free bytes that are more than the volume": Case(
        "8Gi", (usage(0, 0, request="3Gi"),), {"grow_at": "5Gi"}, template="3Gi"
    ),
    "exactly the threshold": Case("128Gi", (full(0.8, 0.8),)),
    "one check where one is asked": Case("128Gi", (full(0.85),), {"checks": "1"}),
    "95 % needs one check": Case("128Gi", (full(0.95),)),
    "three checks": Case("128Gi", (full(0.81, 0.81, 0.82),), {"checks": "3"}),
    "full before the next two samples": Case("128Gi", (full(0.69, 0.8),)),
    "the cooldown is over": Case("128Gi", (full(grown_at=ago(6)),)),
    "a cooldown of the set": Case("128Gi", (full(grown_at=ago(2)),), {"cooldown": "2h"}),
    "no cooldown": Case("128Gi", (full(grown_at=ago(0.1)),), {"cooldown": "0"}),
    "no cooldown, and grown in the future": Case(
        "128Gi", (full(grown_at=ago(-1)),), {"cooldown": "0"}
    ),
    "95 % in the cooldown": Case("128Gi", (full(0.95, grown_at=ago(1)),)),
    "the trend in the cooldown": Case("128Gi", (full(0.7, 0.85, grown_at=ago(1)),)),
    "the steps of a day are less": Case(
        "128Gi", annotations={"auto_steps_0": f"{ago(30)},{ago(25)},{ago(24)},{ago(20)}"}
    ),
    "a satisfied wish": Case("128Gi", annotations={"auto_resize_0": "64Gi"}),
    "a claim that lacks the labels, mounted": Case(
        "128Gi",
        (replace(full(metadata={"labels": {"app": "x"}}), is_mounted=True),),
    ),
    "the volume is larger than the claim": Case(
        "256Gi", (replace(full(), volume_bytes=128 * GIB, samples=row(0.85, 0.85, size="128Gi")),)
    ),
    "no inodes are counted": Case(
        "128Gi", (replace(full(), samples=row(0.85, 0.85, size="64Gi", inodes=0.0)),)
    ),
    "a claim that is believed beside one that is not": Case(
        "128Gi", (full(), full(name="data-db-1", metadata={"uid": "another"}))
    ),
    "a dead node hides its own claims": Case(
        "128Gi", (full(), Usage(claim("data-db-1", "64Gi", "64Gi")))
    ),
    "ordinals that start later": Case(
        "128Gi", (full(name="data-db-5"),), changes={"spec": {"ordinals": {"start": 5}}}
    ),
    "a left-over claim that grows holds nobody": Case(
        "128Gi", (full(), full(name="data-db-7", status=condition("FileSystemResizePending")))
    ),
}


@pytest.mark.parametrize("case", SIZES.values(), ids=SIZES)
def test_a_claim_that_is_too_full_grows(case: Case) -> None:
    """The wish is written with the time of the step, and is as large as the policy says."""
    templates = {"data": case.template}
    arguments: Json = {**case.annotations, "changes": case.changes, "templates": templates}

    found = outcome(*case.usages, **arguments)

    assert (None, Change.RAISE, case.expected) == (found.hold, found.change, found.size)
    times = written(*case.usages, **arguments)["auto-steps-0"]
    assert str(times).split(",")[-1] == format_time(NOW)


def test_claims_that_differ_show_the_reason_that_needs_eyes() -> None:
    """Of a template the gravest reason is told; each claim keeps its own."""
    found = outcome(full(0.1), full(0.1, name="data-db-1", metadata={"uid": "another"}))

    assert Hold.DISTRUSTED_UID == found.hold
    assert [("data-db-0", Hold.BELOW_THRESHOLD), ("data-db-1", Hold.DISTRUSTED_UID)] == [
        (each.name, each.hold) for each in found.claims
    ]


def test_each_template_is_judged_for_itself() -> None:
    """Of two templates one grows, and one request carries all that is written."""
    usages = (full(), full(0.2, name="log-db-0"), full(0.99, name="log-db-1"))
    templates = {"data": "64Gi", "log": "64Gi"}

    found = scaled(*usages[:2], templates=templates)
    assert [None, Hold.BELOW_THRESHOLD] == [each.hold for each in found.outcomes]

    found_keys = written(*usages, templates=templates)
    assert {"auto-resize-0", "auto-steps-0", "auto-resize-1", "auto-steps-1"} == set(found_keys)


def test_a_set_whose_annotations_have_a_fault_is_not_scaled() -> None:
    """A bad value of the autoscaler's own, or of any other annotation, ends it by its name."""
    for annotations, key in ({"grow-at": "x"}, "grow-at"), ({"resize-0": "x"}, "resize-0"):
        found = decide(statefulset({"auto-scaled": "true", **annotations}), (), LIMITS, NOW)

        assert isinstance(found, Fault)
        assert (Reason.MALFORMED, key) == (found.reason, found.key)


def test_defaults_come_from_the_settings() -> None:
    """What a set does not say, the settings say."""
    defaults = replace(LIMITS.defaults, checks=1)

    assert None is outcome(full(0.85), limits=Limits(BOUNDS, defaults)).hold


def test_what_a_sample_may_be_old_is_a_setting() -> None:
    """Of two looks ten minutes apart both count where the settings allow that age."""
    slow = tuple(
        replace(each, taken_at=NOW - timedelta(minutes=10 * back))
        for back, each in zip((1, 0), row(0.85, 0.85), strict=True)
    )
    claims = replace(usage(), samples=slow)

    assert Hold.ONE_CHECK == outcome(claims).hold
    assert None is outcome(claims, limits=Limits(BOUNDS, max_age_seconds=1800.0)).hold


def test_sentences_tell_a_person_what_happens() -> None:
    """A step, the bound and the end of a day's steps have a sentence; the usual has none."""
    assert "claim data-db-0 is 85 % full: data grows from 64Gi to 128Gi" == outcome(full()).sentence
    assert (
        "claim data-db-0 is 85 % full, and data has 64Gi of at most 64Gi; raise max-size, or clean "
        "up" == outcome(full(), max_size="64Gi").sentence
    )
    steps = ",".join(map(ago, (9, 8, 7, 7)))
    assert (
        "claim data-db-0 is 85 % full, and 4 steps were taken in 24 hours"
        == outcome(full(), auto_steps_0=steps).sentence
    )
    assert "" == outcome(full(0.1)).sentence


def test_the_latest_steps_are_kept_whatever_their_age() -> None:
    """As many as a day may have: a clock set ahead and back must not have forgotten them."""
    before = f"{ago(40)},odd,{ago(-9)},{ago(30)},"

    noted = written(full(0.95), auto_steps_0=before)["auto-steps-0"]

    assert f"{ago(30)},{ago(0)},{ago(0)},{ago(-9)}" == noted
    assert ago(0) == written(full(), auto_steps_0=ago(30), steps_per_day="1")["auto-steps-0"]


def test_a_set_made_larger_by_its_template_needs_no_step() -> None:
    """A claim that waits for its template's size is about to grow."""
    assert Hold.RESIZE_IN_FLIGHT == outcome(full(0.99), templates={"data": "200Gi"}).hold


def test_a_set_that_a_label_switches_on_waits_for_no_template() -> None:
    """Without one of our annotations the resizer does nothing; the first wish goes past it."""
    live = statefulset(
        templates={"data": "200Gi"}, metadata={"labels": own({"auto-scaled": "true"})}
    )
    found = decide(live, [full()], LIMITS, NOW)

    assert isinstance(found, Scaled)
    assert "256Gi" == found.outcomes[0].size


def test_a_wish_that_nobody_can_read_is_removed() -> None:
    """What only the autoscaler writes it mends: an odd wish would hold the set for ever."""
    keys = {"auto_resize_0": "much", "auto_resize_7": "9Gi", "auto_resize_x": "9Gi"}

    expected = {"auto-resize-0": None, "auto-resize-7": None, "auto-resize-x": None}
    assert expected == written(full(0.1), **keys)


def test_a_step_replaces_a_wish_that_nobody_can_read() -> None:
    """The new wish is written in the same request that would have removed the odd one."""
    assert "128Gi" == written(full(), auto_resize_0="much")["auto-resize-0"]


def test_one_sample_said_twice_is_one_check() -> None:
    """A kubelet that repeats what it has cached has not looked twice (U4)."""
    claims = replace(usage(), samples=(sample(0.85), sample(0.85)))

    assert Hold.ONE_CHECK == outcome(claims).hold
