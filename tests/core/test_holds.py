"""Each reason for which the autoscaler takes no step."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from rso.core.autoscale import Usage
from rso.core.judge import Change
from rso.core.names import Hold
from rso.core.times import format_time
from tests.core.usages import ago, condition, full, outcome, row, usage, written
from tests.factories import GIB, NOW, Json, claim, unbound

INFEASIBLE: Json = {"allocatedResourceStatuses": {"storage": "ControllerResizeInfeasible"}}


def odd(**changes: Any) -> Usage:  # noqa: ANN401  any field of Sample
    """Return a claim whose newest sample is odd, after a good one."""
    good = row(0.99, 0.99)
    return replace(usage(), samples=(good[0], replace(good[1], **changes)))


GROWING = "allocatedResourceStatuses"
HOLDS: dict[str, tuple[Hold, tuple[Usage, ...], Json]] = {
    "not full": (Hold.BELOW_THRESHOLD, (full(0.79, 0.79),), {}),
    "free bytes alone: 95 % is none of its business": (
        Hold.BELOW_THRESHOLD,
        (full(0.96, 0.96, request="1Ti"),),
        {"grow_at": "5Gi"},
    ),
    "only one check": (Hold.ONE_CHECK, (full(0.79, 0.8),), {}),
    "two checks of three": (Hold.ONE_CHECK, (full(0.79, 0.8, 0.81),), {"checks": "3"}),
    "checks not in a row": (Hold.ONE_CHECK, (full(0.85, 0.79, 0.8),), {}),
    "the first sample": (Hold.ONE_CHECK, (full(0.85),), {}),
    "in the cooldown": (Hold.COOLDOWN, (full(grown_at=ago(5.99)),), {}),
    "another claim grew": (
        Hold.COOLDOWN,
        (full(), full(0.1, name="data-db-1", grown_at=ago(1))),
        {},
    ),
    "grown in the future": (Hold.COOLDOWN, (full(grown_at=ago(-1000)),), {}),
    "grown at nobody knows when": (Hold.COOLDOWN, (full(grown_at="yesterday"),), {}),
    "a step, though no claim says so": (Hold.COOLDOWN, (full(),), {"auto_steps_0": ago(1)}),
    "four steps": (
        Hold.STEPS_PER_DAY,
        (full(),),
        {"auto_steps_0": ",".join(map(ago, (23.9, 20, 12, 7)))},
    ),
    "four steps, and 99 %": (
        Hold.STEPS_PER_DAY,
        (full(0.99),),
        {"auto_steps_0": ",".join(map(ago, (9, 8, 7, 6)))},
    ),
    "two steps where two are allowed": (
        Hold.STEPS_PER_DAY,
        (full(),),
        {"auto_steps_0": f"{ago(8)},{ago(7)}", "steps_per_day": "2"},
    ),
    "steps in the future": (
        Hold.STEPS_PER_DAY,
        (full(0.99),),
        {"auto_steps_0": ",".join([ago(-9000)] * 4)},
    ),
    "steps that nobody can read": (Hold.STEPS_PER_DAY, (full(0.99),), {"auto_steps_0": "a,b,c,d"}),
    "at the set's bound": (Hold.AT_LIMIT, (full(),), {"max_size": "64Gi"}),
    "beyond the set's bound": (Hold.AT_LIMIT, (full(),), {"max_size": "10Gi"}),
    "at the operator's bound": (Hold.AT_LIMIT, (full(request="2000Gi"),), {}),
    "at the bound in the cooldown": (Hold.AT_LIMIT, (full(grown_at=ago(1)),), {"max_size": "64Gi"}),
    "at the bound, not full": (Hold.BELOW_THRESHOLD, (full(0.1),), {"max_size": "64Gi"}),
    "the volume is at the bound": (
        Hold.AT_LIMIT,
        (replace(full(), volume_bytes=70 * GIB),),
        {"max_size": "66Gi"},
    ),
    "paused": (Hold.PAUSED, (full(),), {"paused": "true"}),
    "no claims": (Hold.NO_CLAIMS, (), {}),
    "claims of others": (
        Hold.NO_CLAIMS,
        (full(name="log-db-0"), full(name="data-dbx-0"), full(name="data-db-x")),
        {},
    ),
    "a claim that lacks the labels": (
        Hold.NO_CLAIMS,
        (full(metadata={"labels": {"app": "x"}}),),
        {},
    ),
    "a claim that goes": (
        Hold.NO_CLAIMS,
        (full(metadata={"deletionTimestamp": "2026-11-01T00:00:00Z"}),),
        {},
    ),
    "scaled to zero": (Hold.NO_PODS, (full(),), {"changes": {"spec": {"replicas": 0}}}),
    "only left-over claims": (Hold.NO_PODS, (full(name="data-db-3"),), {}),
    "only unbound claims": (Hold.NO_PODS, (Usage(unbound()),), {}),
    "no sample": (Hold.NO_USAGE, (Usage(claim()),), {}),
    "asked to grow": (Hold.RESIZE_IN_FLIGHT, (full(request="128Gi", capacity="64Gi"),), {}),
    "a wish that waits": (Hold.RESIZE_IN_FLIGHT, (full(),), {"auto_resize_0": "128Gi"}),
    "a person's wish that waits": (Hold.RESIZE_IN_FLIGHT, (full(),), {"resize_0": "99Gi"}),
    "a template that waits": (Hold.RESIZE_IN_FLIGHT, (full(),), {"templates": {"data": "99Gi"}}),
    "the controller is at it": (
        Hold.RESIZE_IN_FLIGHT,
        (full(status={GROWING: {"storage": "ControllerResizeInProgress"}}),),
        {},
    ),
    **{
        f"condition {kind}": (Hold.RESIZE_IN_FLIGHT, (full(status=condition(kind)),), {})
        for kind in ("Resizing", "FileSystemResizePending", "ControllerResizeError")
    },
    "another claim grows": (
        Hold.RESIZE_IN_FLIGHT,
        (full(0.99), full(name="data-db-1", status=condition("Resizing"))),
        {},
    ),
    "infeasible": (Hold.INFEASIBLE, (full(0.99, status=INFEASIBLE),), {}),
    "another claim is infeasible": (
        Hold.INFEASIBLE,
        (full(0.99), full(name="data-db-1", status=INFEASIBLE)),
        {},
    ),
    "the node cannot": (
        Hold.INFEASIBLE,
        (full(0.99, status=condition("NodeResizeError", "rpc error: code = OutOfRange")),),
        {},
    ),
    "of another claim": (Hold.DISTRUSTED_UID, (odd(claim_uid="other"),), {}),
    "capacity is no number": (Hold.DISTRUSTED_NAN, (odd(capacity_bytes=float("nan")),), {}),
    "infinite": (Hold.DISTRUSTED_NAN, (odd(available_bytes=float("inf")),), {}),
    "used below zero": (Hold.DISTRUSTED_NEGATIVE, (odd(used_bytes=-1.0),), {}),
    "more available than there is": (
        Hold.DISTRUSTED_NEGATIVE,
        (odd(available_bytes=11.0 * GIB),),
        {},
    ),
    "in the future": (Hold.DISTRUSTED_FUTURE, (odd(taken_at=NOW + timedelta(seconds=31)),), {}),
    "stale": (Hold.DISTRUSTED_STALE, (odd(taken_at=NOW - timedelta(seconds=301)),), {}),
    "used over capacity": (Hold.DISTRUSTED_USED, (odd(used_bytes=11.0 * GIB),), {}),
    "neither used nor available": (
        Hold.DISTRUSTED_INCOMPLETE,
        (odd(used_bytes=0.0, available_bytes=0.0),),
        {},
    ),
    "no capacity": (
        Hold.DISTRUSTED_CAPACITY,
        (odd(capacity_bytes=0.0, used_bytes=0.0, available_bytes=0.0),),
        {},
    ),
    "a much smaller file system": (
        Hold.DISTRUSTED_CAPACITY,
        (odd(capacity_bytes=8.9 * GIB, used_bytes=8.0 * GIB),),
        {},
    ),
    "a much larger file system": (Hold.DISTRUSTED_CAPACITY, (odd(capacity_bytes=11.1 * GIB),), {}),
    "a sample from before it grew": (
        Hold.NOT_YET_VISIBLE,
        (usage(0.99, grown_at=format_time(NOW - timedelta(seconds=9))),),
        {},
    ),
    "a file system that has not grown yet": (
        Hold.NOT_YET_VISIBLE,
        (replace(usage(grown_at=ago(0.1)), samples=row(0.99, 0.99, size="8Gi")),),
        {},
    ),
}


@pytest.mark.parametrize(("hold", "usages", "arguments"), HOLDS.values(), ids=HOLDS)
def test_each_reason_for_no_step(hold: Hold, usages: tuple[Usage, ...], arguments: Json) -> None:
    """Whatever forbids a step is named, and nothing is written."""
    found = outcome(*usages, **arguments)

    assert (hold, Change.KEEP, "") == (found.hold, found.change, found.size)
    assert {} == written(*usages, **arguments)


def test_a_block_volume_is_left_alone() -> None:
    """Nobody knows how full a raw device is."""
    block: Json = {
        "volumeClaimTemplates": [
            {
                "metadata": {"name": "data"},
                "spec": {"volumeMode": "Block", "resources": {"requests": {"storage": "64Gi"}}},
            }
        ]
    }

    assert Hold.BLOCK_MODE == outcome(full(0.99), changes={"spec": block}).hold


def test_every_reason_has_a_case() -> None:
    """The closed list of reasons is the list of cases."""
    assert set(Hold) == {hold for hold, _, _ in HOLDS.values()} | {Hold.BLOCK_MODE}
