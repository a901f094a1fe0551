"""Laws of the autoscaler, whatever the usage, the policy and the clocks say."""

import os
from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from rso.core.autoscale import Usage
from rso.core.fullness import is_reached
from rso.core.judge import Change, Outcome
from rso.core.names import Hold
from rso.core.quantity import read_bytes
from rso.core.scaling import Scaling, grow_by
from rso.core.steps import between, limited, target_bytes
from rso.core.times import format_time
from rso.core.trust import Reading
from tests.core.ageing import Ageing
from tests.core.usages import outcome, sample, usage
from tests.factories import GIB, NOW, Json

# The million of the issue: RSO_AGEING_STEPS=1000000 pytest tests/core/test_autoscale_properties.py
STEPS = int(os.environ.get("RSO_AGEING_STEPS", "10000"))
COURSES = 20

SIZES = st.sampled_from(["300Mi", "1Gi", "10Gi", "63Gi", "64Gi", "1000Gi", "1999Gi"])
SHARES = st.integers(0, 1000)
POLICIES: st.SearchStrategy[Json] = st.fixed_dictionaries(
    {},
    optional={
        "grow_at": st.sampled_from(["20%", "80%", "99%", "5Gi", "80%,5Gi"]),
        "grow_by": st.sampled_from(["power-of-two", "1%", "25%", "900%", "1Mi", "10Gi"]),
        "grow_min": st.sampled_from(["1Mi", "1Gi", "100Gi"]),
        "grow_max": st.sampled_from(["1Mi", "5Gi", "500Gi"]),
        "max_size": st.sampled_from(["1Gi", "64Gi", "100Gi", "2500Gi"]),
        "checks": st.sampled_from(["1", "2", "5"]),
        "cooldown": st.sampled_from(["0", "1h", "6h"]),
        "steps_per_day": st.sampled_from(["1", "4"]),
    },
)


def claims(size: str, before: int, last: int, hours: float | None) -> Usage:
    """Return a claim of which so many thousandths are in use, that grew some hours ago."""
    at = None if hours is None else format_time(NOW - timedelta(hours=hours))
    return usage(before / 1000, last / 1000, request=size, grown_at=at)


def grows(found: Outcome) -> int:
    """Return the bytes of a step; 0 for none."""
    return read_bytes(found.size) if found.change is Change.RAISE else 0


@given(POLICIES, SIZES, SHARES, SHARES, st.none() | st.floats(-100, 100))
def test_a_step_is_larger_and_within_every_limit(
    policy: Json, size: str, before: int, last: int, hours: float | None
) -> None:
    """Never smaller, never past the bound, never beyond grow-max or ten times; twice the same."""
    found = outcome(claims(size, before, last, hours), templates={"data": size}, **policy)

    again = outcome(claims(size, before, last, hours), templates={"data": size}, **policy)
    assert found == again
    if grows(found):
        start, bound = read_bytes(size), read_bytes(policy.get("max_size", "2000Gi"))
        assert start < grows(found) <= min(bound, 2000 * GIB, 10 * start)
        assert grows(found) <= start + read_bytes(policy.get("grow_max", "2000Gi"))


@given(POLICIES, SIZES, SHARES, SHARES, st.none() | st.floats(-100, 100))
def test_no_step_in_the_cooldown_unless_it_is_urgent(
    policy: Json, size: str, before: int, last: int, hours: float | None
) -> None:
    """Inside the cooldown only 95 %, or a trend that fills the volume, makes a step."""
    pause = {"0": 0, "1h": 1, "6h": 6}[policy.get("cooldown", "6h")]
    assume(pause and hours is not None and hours < pause)
    found = outcome(claims(size, before, last, hours), templates={"data": size}, **policy)

    if grows(found):
        assert last >= 950 or (1000 - last) <= 2 * (last - before) + 1


@given(POLICIES, SIZES, SHARES, SHARES, SHARES)
def test_more_usage_never_means_less(
    policy: Json, size: str, before: int, last: int, more: int
) -> None:
    """A fuller claim grows whenever a less full one does, and at least as far."""
    less, fuller = sorted((last, more))
    first = outcome(claims(size, before, less, None), templates={"data": size}, **policy)
    second = outcome(claims(size, before, fuller, None), templates={"data": size}, **policy)

    assert grows(first) <= grows(second)


@given(
    st.integers(1, 2**44),
    st.integers(0, 10**6),
    st.sampled_from(["power-of-two", "1%", "7%", "25%", "1Mi", "3Gi", "10Gi"]),
    st.integers(20, 99),
)
def test_a_step_without_limits_helps(start: int, millionths: int, by: str, at: int) -> None:
    """Whatever the size: the claim is 10 points under its threshold."""
    used = start * millionths // 10**6
    policy = Scaling(grow_by=grow_by(by))
    needed = -(-used * 100 // (at - 10))

    target = target_bytes(start, needed, policy)

    assert target > start
    assert target * (at - 10) >= used * 100
    assert target == limited(target, start, target, policy)


@given(st.integers(1, 2**50), st.integers(1, 2**50))
def test_half_way_back_is_in_between(low: int, more: int) -> None:
    """A wish is lowered to a size strictly between, or not at all."""
    found = between(low, low + more)

    assert found is None or low < found < low + more


@given(
    st.integers(1, 2**50), st.integers(0, 2**50), st.none() | st.integers(0, 2**50), st.integers()
)
def test_a_threshold_is_reached_by_any_of_its_parts(
    capacity: int, used: int, free: int | None, inodes: int
) -> None:
    """The share, the free bytes or the inodes: the first that is reached counts."""
    assume(used <= capacity)
    at = replace(Scaling().grow_at, free_bytes=free)
    reading = Reading(NOW, capacity, used, 100, abs(inodes) % 101)
    found = is_reached(reading, replace(Scaling(), grow_at=at))

    is_full = Fraction(used, capacity) >= Fraction(4, 5)
    has_little = free is not None and capacity - used <= free
    assert found == (is_full or has_little or reading.inodes_used >= 80)


@given(st.floats(allow_nan=True, allow_infinity=True), st.sampled_from(["capacity", "used"]))
def test_any_amount_is_judged(amount: float, which: str) -> None:
    """No number that a source may send breaks the decision."""
    odd = replace(sample(0.99), **{f"{which}_bytes": amount})
    found = outcome(replace(usage(), samples=(odd,)))

    assert found.hold is None or found.hold in Hold


@pytest.mark.timeout(0)  # the million takes minutes
@pytest.mark.parametrize("seed", range(COURSES))
def test_a_long_course_breaks_no_rule(seed: int) -> None:
    """Writers, lies, restarts, jumping clocks, refusals, people: no step that a rule forbids."""
    course = Ageing(seed)

    course.run(STEPS // COURSES)

    assert [] == course.violations
    assert course.steps > 0
