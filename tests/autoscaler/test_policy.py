"""Every annotation of the policy, each on a set of its own: what is wished for."""

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from rso.core.scaling import Scaling, grow_at, grow_by
from tests.autoscaler.conftest import Scale
from tests.autoscaler.sets_of import make_all, scaled, wait_wishes, wishes
from tests.support.autoscalers import GIB, Odd, Told
from tests.support.sets import Json, Sets

# {name: (size, fullness, annotations, the wish: empty for none)}
pytestmark = pytest.mark.timeout(400)

CASES: dict[str, tuple[str, float, Mapping[str, str], str]] = {
    "below": ("1Gi", 0.79, {}, ""),
    "plain": ("1Gi", 0.81, {}, "2Gi"),
    "odd": ("63Gi", 0.85, {}, "128Gi"),
    "at-share": ("1Gi", 0.56, {"grow-at": "55%"}, "2Gi"),
    "at-free": ("10Gi", 0.52, {"grow-at": "5Gi"}, "16Gi"),
    "at-first": ("10Gi", 0.52, {"grow-at": "80%,5Gi"}, "16Gi"),
    "at-neither": ("10Gi", 0.48, {"grow-at": "80%,5Gi"}, ""),
    "by-share": ("10Gi", 0.82, {"grow-by": "25%"}, "13Gi"),
    "by-size": ("10Gi", 0.82, {"grow-by": "3Gi"}, "13Gi"),
    "by-helps": ("10Gi", 0.90, {"grow-by": "1Gi"}, "13Gi"),
    "least": ("10Gi", 0.82, {"grow-by": "2Gi", "grow-min": "7Gi"}, "17Gi"),
    "most": ("10Gi", 0.82, {"grow-max": "3Gi"}, "13Gi"),
    "bound": ("10Gi", 0.82, {"max-size": "14Gi"}, "14Gi"),
    "factor": ("1Gi", 0.82, {"grow-min": "20Gi"}, "10Gi"),
    "three-checks": ("1Gi", 0.82, {"checks": "3"}, "2Gi"),
    "ten-checks-urgent": ("1Gi", 0.96, {"checks": "10"}, "2Gi"),
    "no-cooldown": ("1Gi", 0.82, {"cooldown": "0"}, "2Gi"),
    "one-step": ("1Gi", 0.82, {"steps-per-day": "1"}, "2Gi"),
}
INODES = {"inodes": (0.55, {"grow-at-inodes": "50%"}, "2Gi"), "inodes-below": (0.79, {}, "")}


def inodes(share: float) -> Odd:
    """Return what gives a sample inodes, of which this share is used."""
    return lambda sample: replace(sample, inodes=1000.0, inodes_used=1000.0 * share)


def test_every_annotation_of_the_policy_holds(sets: Sets, told: Told, scale: Scale) -> None:
    """Each case alone decides about its set: threshold, step, its limits, checks, inodes."""
    manifests: list[Json] = []
    for name, (size, fullness, policy, _) in CASES.items():
        manifests.append(scaled(name, {"data": size}, policy=policy))
        told.fullness[f"data-{name}-0"] = fullness
        told.capacities[f"data-{name}-0"] = float(size.removesuffix("Gi")) * GIB
    for name, (share, policy, _) in INODES.items():
        manifests.append(scaled(name, policy=policy))
        told.fullness[f"data-{name}-0"] = 0.1
        told.odd[f"data-{name}-0"] = inodes(share)
    make_all(sets, manifests)
    all_wishes = {name: wish for name, (*_, wish) in CASES.items()}
    all_wishes |= {name: wish for name, (*_, wish) in INODES.items()}
    expected = {name: wish for name, wish in all_wishes.items() if wish}

    with scale() as scaler:
        wait_wishes(sets, expected)
        last = scaler.looks
        sets.wait(lambda: scaler.looks > last + 3, "it has looked again")

    assert expected == wishes(sets)


def test_the_settings_hold_where_a_set_says_nothing(sets: Sets, told: Told, scale: Scale) -> None:
    """A lower threshold and a larger step of the settings; an annotation still wins."""
    make_all(sets, [scaled("silent"), scaled("own", policy={"grow-by": "4Gi"})])
    told.fullness |= {"data-silent-0": 0.5, "data-own-0": 0.5}

    with scale(scaling=Scaling(grow_at=grow_at("50%"), grow_by=grow_by("2Gi"))):
        wait_wishes(sets, {"silent": "3Gi", "own": "5Gi"})
