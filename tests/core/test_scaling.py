"""How a set wants to be auto-scaled: each annotation, and what is wrong with it."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rso.core.faults import Fault
from rso.core.names import PREFIX
from rso.core.scaling import KEYS, GrowAt, GrowBy, Scaling, is_auto_scaled, read_scaling
from tests.factories import GIB, own, statefulset

DEFAULTS = Scaling()


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("grow-at", "80%", {"grow_at": GrowAt(Fraction(4, 5))}),
        ("grow-at", "99%", {"grow_at": GrowAt(Fraction(99, 100))}),
        ("grow-at", "20%", {"grow_at": GrowAt(Fraction(1, 5))}),
        ("grow-at", "82.25%", {"grow_at": GrowAt(Fraction(329, 400))}),
        ("grow-at", "5Gi", {"grow_at": GrowAt(None, 5 * GIB)}),
        ("grow-at", "80%,5Gi", {"grow_at": GrowAt(Fraction(4, 5), 5 * GIB)}),
        ("grow-at", "5Gi, 80%", {"grow_at": GrowAt(Fraction(4, 5), 5 * GIB)}),
        ("grow-at-inodes", "90%", {"inodes_ratio": Fraction(9, 10)}),
        ("grow-by", "power-of-two", {"grow_by": GrowBy()}),
        ("grow-by", "25%", {"grow_by": GrowBy(ratio=Fraction(1, 4))}),
        ("grow-by", "900%", {"grow_by": GrowBy(ratio=Fraction(9))}),
        ("grow-by", "10Gi", {"grow_by": GrowBy(step_bytes=10 * GIB)}),
        ("grow-min", "1Gi", {"grow_min_bytes": GIB}),
        ("grow-max", "1Ti", {"grow_max_bytes": 1024 * GIB}),
        ("cooldown", "90m", {"cooldown_seconds": 5400.0}),
        ("cooldown", "0", {"cooldown_seconds": 0.0}),
        ("cooldown", "720h", {"cooldown_seconds": 2592000.0}),
        ("checks", "1", {"checks": 1}),
        ("checks", "10", {"checks": 10}),
        ("steps-per-day", "24", {"steps_per_day": 24}),
    ],
)
def test_each_annotation_has_its_field(key: str, text: str, expected: dict[str, Any]) -> None:
    """An annotation replaces one default and leaves the others."""
    assert replace(DEFAULTS, **expected) == read_scaling(own({key: text}), DEFAULTS)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        *(("grow-at", each) for each in ("", "80", "0%", "19%", "100%", "80 %", "-80%", "8o%")),
        *(("grow-at", each) for each in ("80%,", ",", "80%,90%", "1Gi,2Gi", "0", "80%,x", "5 Gi")),
        *(("grow-at-inodes", each) for each in ("5Gi", "100%", "", "80.125%", "\u0668\u0660%")),
        *(
            ("grow-by", each)
            for each in ("0%", "901%", "power of two", "0", "", "-1Gi", "1e99", "25")
        ),
        *(("grow-min", each) for each in ("10%", "0", "", "10")),
        *(("grow-max", each) for each in ("10%", "none", "1m")),
        *(("cooldown", each) for each in ("6", "1d", "-6h", "721h", "", "6h ")),
        *(("checks", each) for each in ("0", "11", "two", "", "1.5", "+1", "-1")),
        *(("steps-per-day", each) for each in ("0", "25", "4/d", "", "1000")),
    ],
)
def test_a_faulty_value_names_its_annotation(key: str, text: str) -> None:
    """The sentence begins with the annotation, repeats the value and says what to write."""
    found = read_scaling(own({key: text}), DEFAULTS)

    assert isinstance(found, Fault)
    assert key == found.key
    assert found.sentence.startswith(f"{key} is {text!a}; write ")


@given(st.sampled_from(sorted(KEYS)), st.text(max_size=99))
def test_any_text_is_a_policy_or_a_fault(key: str, text: str) -> None:
    """Whatever is written, nothing breaks, and a sentence can be printed."""
    found = read_scaling({key: text}, DEFAULTS)

    assert isinstance(found, Scaling) or found.sentence.isprintable()


@pytest.mark.parametrize(
    ("annotations", "labels", "expected"),
    [
        pytest.param({}, {}, False, id="nothing said"),
        pytest.param({"auto-scaled": "true"}, {}, True, id="annotation"),
        pytest.param({}, {"auto-scaled": "true"}, True, id="label"),
        pytest.param({}, {"auto-scaled": ""}, True, id="label without a value"),
        pytest.param({}, {"auto-scaled": "false"}, False, id="label false"),
        pytest.param({"auto-scaled": "false"}, {"auto-scaled": "true"}, False, id="both"),
        pytest.param({"auto-scaled": "yes"}, {}, True, id="a value that must be told of"),
    ],
)
def test_the_annotation_decides_before_the_label(
    annotations: dict[str, str],
    labels: dict[str, str],
    expected: bool,  # noqa: FBT001  a table
) -> None:
    """A set is auto-scaled by its annotation, or by a label of that name where there is none."""
    found = statefulset(annotations, metadata={"labels": own(labels)})

    assert expected == is_auto_scaled(found)


def test_the_keys_are_those_of_the_documentation() -> None:
    """Each annotation that is read is one of ours."""
    assert {
        *("grow-at", "grow-at-inodes", "grow-by", "grow-min", "grow-max"),
        *("cooldown", "checks", "steps-per-day"),
    } == {each.removeprefix(PREFIX) for each in KEYS}
