"""What the annotations of a set ask for, and what is wrong with them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rso.core.model import StatefulSet
from rso.core.names import Reason
from rso.core.policy import Bounds, Fault, Policy, has_own_annotation, read_policy
from tests.factories import BOUNDS, GIB, decoded, own, statefulset, whole_set

TWO = {"data": "10Gi", "log": "5Gi"}


def policy(annotations: dict[str, str], **changes: Any) -> Policy:  # noqa: ANN401  bounds, sizes
    """Return what a set of two templates wants."""
    found = judged(annotations, **changes)
    assert isinstance(found, Policy)
    return found


def judged(
    annotations: dict[str, str],
    bounds: Bounds = BOUNDS,
    largest: dict[int, int] | None = None,
    templates: dict[str, str] | None = None,
) -> Policy | Fault:
    return read_policy(statefulset(annotations, templates or TWO), bounds, largest or {})


def sizes(found: Policy) -> list[str]:
    return [target.claim.text for target in found.targets]


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        pytest.param({}, ["10Gi", "5Gi"], id="no wish is what the templates say"),
        pytest.param({"resize-0": "20Gi"}, ["20Gi", "5Gi"], id="a wish by index"),
        pytest.param({"resize.log": "6Gi"}, ["10Gi", "6Gi"], id="a wish by name"),
        pytest.param({"auto-resize-1": "7Gi"}, ["10Gi", "7Gi"], id="the autoscaler's wish"),
        pytest.param(
            {"resize-0": "20Gi", "resize.data": "30Gi", "auto-resize-0": "25Gi"},
            ["30Gi", "5Gi"],
            id="the largest of three wishes holds",
        ),
        pytest.param({"resize-0": "10Gi"}, ["10Gi", "5Gi"], id="a satisfied wish is inert"),
        pytest.param({"resize-0": "1Gi"}, ["10Gi", "5Gi"], id="a smaller wish is inert"),
        pytest.param({"resize-0": "10240Mi"}, ["10Gi", "5Gi"], id="the same size in other words"),
        pytest.param({"resize-0": "21474836480"}, ["21474836480", "5Gi"], id="plain bytes"),
        pytest.param({"resize-0": "10.5Gi"}, ["10.5Gi", "5Gi"], id="a whole fraction as written"),
        pytest.param({"max-size": "12Gi", "resize-0": "12Gi"}, ["12Gi", "5Gi"], id="at the bound"),
        pytest.param(
            {"max-size": "1Gi", "resize-0": "10Gi"}, ["10Gi", "5Gi"], id="inert above the bound"
        ),
        pytest.param({"resize-0": "100Gi"}, ["100Gi", "5Gi"], id="exactly ten times"),
        pytest.param({"resize-0": "200Gi", "confirm": "200Gi"}, ["200Gi", "5Gi"], id="confirmed"),
        pytest.param({"grown-at": "x", "unknown": "x"}, ["10Gi", "5Gi"], id="other keys of ours"),
    ],
)
def test_the_largest_wish_is_wanted(annotations: dict[str, str], expected: list[str]) -> None:
    """A claim shall have the largest of its template's size and the wishes for it."""
    assert expected == sizes(policy(annotations))


@pytest.mark.parametrize(
    ("annotations", "reason", "words"),
    [
        pytest.param({"resize-0": ""}, Reason.MALFORMED, "resize-0: '' cannot", id="empty"),
        pytest.param({"resize-0": "big"}, Reason.MALFORMED, "it is not a size", id="no size"),
        pytest.param({"resize-0": "-1Gi"}, Reason.MALFORMED, "sign", id="negative"),
        pytest.param({"resize.log": "0"}, Reason.MALFORMED, "zero", id="zero by name"),
        pytest.param({"auto-resize-0": "1m"}, Reason.MALFORMED, "auto-resize-0", id="auto"),
        pytest.param({"max-size": "much"}, Reason.MALFORMED, "max-size", id="bound"),
        pytest.param({"confirm": "yes"}, Reason.MALFORMED, "confirm", id="confirm"),
        pytest.param(
            {"recreate": "no"}, Reason.MALFORMED, "recreate is 'no'; write true or false", id="flag"
        ),
        pytest.param({"paused": "True"}, Reason.MALFORMED, "paused is 'True'", id="capital"),
        pytest.param(
            {"on-smaller": "x\n\x1b"},
            Reason.MALFORMED,
            "on-smaller is 'x\\n\\x1b'; write deny or keep",
            id="control characters are escaped",
        ),
        pytest.param({"when-deleted": "Keep"}, Reason.MALFORMED, "when-deleted", id="our note"),
        pytest.param({"resize-2": "20Gi"}, Reason.UNKNOWN_TEMPLATE, "0=data, 1=log", id="index"),
        pytest.param({"resize-00": "20Gi"}, Reason.UNKNOWN_TEMPLATE, "resize-00", id="zeros"),
        pytest.param({"resize-": "20Gi"}, Reason.UNKNOWN_TEMPLATE, "resize-", id="no index"),
        pytest.param({"resize-data": "20Gi"}, Reason.UNKNOWN_TEMPLATE, "data", id="name as index"),
        pytest.param(
            {"resize-\u0660": "20Gi"}, Reason.UNKNOWN_TEMPLATE, "no claim", id="other digits"
        ),
        pytest.param({"resize-0\n": "20Gi"}, Reason.UNKNOWN_TEMPLATE, "no claim", id="newline"),
        pytest.param({"resize.wal": "20Gi"}, Reason.UNKNOWN_TEMPLATE, "resize.wal", id="name"),
        pytest.param({"auto-resize-9": "20Gi"}, Reason.UNKNOWN_TEMPLATE, "auto", id="auto index"),
        pytest.param({"resize-0": "2001Gi"}, Reason.OVER_BOUND, "2000Gi", id="operator's bound"),
        pytest.param(
            {"resize-0": "13Gi", "max-size": "12Gi"}, Reason.OVER_BOUND, "of 12Gi", id="own bound"
        ),
        pytest.param(
            {"resize-0": "3000Gi", "max-size": "4000Gi", "confirm": "3000Gi"},
            Reason.OVER_BOUND,
            "2000Gi",
            id="a set cannot raise the operator's bound",
        ),
        pytest.param(
            {"resize-0": "107374182401"},
            Reason.STEP_TOO_BIG,
            "confirm it with the annotation resize-statefulset-operator/confirm=107374182401",
            id="a byte above ten times",
        ),
        pytest.param(
            {"resize-0": "200Gi", "confirm": "199Gi"}, Reason.STEP_TOO_BIG, "10 times", id="less"
        ),
    ],
)
def test_what_cannot_be_followed_is_refused(
    annotations: dict[str, str], reason: Reason, words: str
) -> None:
    """A bad annotation is refused by its reason, and the sentence names it."""
    fault = judged(annotations)

    assert isinstance(fault, Fault)
    assert reason == fault.reason
    assert words in fault.sentence


def test_a_set_without_templates_has_nothing_to_resize() -> None:
    """A wish on a set without claim templates says so."""
    changed = decoded(whole_set({"resize-0": "1Gi"}, {}), StatefulSet)
    fault = read_policy(changed, BOUNDS, {})

    assert isinstance(fault, Fault)
    assert (
        fault.reason,
        "the set has no volumeClaimTemplates" in fault.sentence,
    ) == (Reason.UNKNOWN_TEMPLATE, True)


def test_a_template_that_cannot_be_read_is_named() -> None:
    """A size of the template that nobody can read is refused, cut and escaped."""
    fault = judged({}, templates={"data": "1e99999"})

    assert (
        Fault(Reason.MALFORMED, "the size '1e99999' of claim template data cannot be read") == fault
    )


def test_a_template_keeps_its_words_where_they_are_plain() -> None:
    """A size that Kubernetes holds in odd words is written as whole bytes."""
    assert sizes(policy({}, templates={"data": "1.1Gi", "log": "5Gi"})) != ["1181116006400m", "5Gi"]
    assert sizes(policy({}, templates={"data": "1181116006400m"})) == ["1181116007"]


@pytest.mark.parametrize(
    ("largest", "expected"),
    [
        pytest.param({}, Reason.STEP_TOO_BIG, id="no claims: the template"),
        pytest.param({0: 9 * GIB}, Reason.STEP_TOO_BIG, id="smaller claims: the template"),
        pytest.param({1: 90 * GIB}, Reason.STEP_TOO_BIG, id="another template's claims"),
        pytest.param({0: 20 * GIB}, None, id="the largest claim"),
    ],
)
def test_the_autoscaler_is_judged_by_the_largest_claim(
    largest: dict[int, int], expected: Reason | None
) -> None:
    """Ten times is counted from the largest claim, since the template may stay behind."""
    found = judged({"auto-resize-0": "200Gi"}, largest=largest)

    assert expected == (found.reason if isinstance(found, Fault) else None)


def test_an_automatic_wish_below_the_largest_claim_is_inert() -> None:
    """What the claims already have is no step, whatever the bound is."""
    found = policy({"auto-resize-0": "50Gi", "max-size": "20Gi"}, largest={0: 50 * GIB})

    assert sizes(found) == ["50Gi", "5Gi"]


def test_a_manual_wish_is_judged_by_the_template() -> None:
    """Large claims do not make a person's slip of the finger harmless."""
    fault = judged({"resize-0": "200Gi"}, largest={0: 190 * GIB})

    assert isinstance(fault, Fault)
    assert fault.reason == Reason.STEP_TOO_BIG


@pytest.mark.parametrize(("follows", "expected"), [(True, "16Gi"), (False, "12Gi")])
def test_the_template_follows_the_autoscaler_where_allowed(follows: bool, expected: str) -> None:  # noqa: FBT001  a table
    """Where the template must not follow, it takes a person's wish and leaves the autoscaler's."""
    bounds = replace(BOUNDS, template_follows=follows)
    found = policy({"auto-resize-0": "16Gi", "resize-0": "12Gi"}, bounds=bounds)

    target = found.targets[0]
    assert ("16Gi", expected) == (target.claim.text, target.template.text)
    assert target.rises
    assert target.is_wished
    assert not found.targets[1].rises
    assert not found.targets[1].is_wished


def test_flags_have_safe_defaults() -> None:
    """Without annotations a set is recreated and is not paused."""
    assert (policy({}).recreate, policy({}).paused) == (True, False)
    found = policy({"recreate": "false", "paused": "true", "on-smaller": "keep"})
    assert (found.recreate, found.paused) == (False, True)


def test_only_own_annotations_count() -> None:
    """A set that carries none of our annotations asks for nothing."""
    assert not has_own_annotation(statefulset())
    assert has_own_annotation(statefulset({"auto-scaled": "true"}))


@pytest.mark.parametrize(
    ("annotations", "labels", "expected"),
    [
        pytest.param({"auto-scaled": "true", "grow-at": "x"}, {}, "grow-at", id="a bad threshold"),
        pytest.param({"grow-by": "x"}, {"auto-scaled": "1"}, "grow-by", id="switched on by label"),
        pytest.param({"auto-scaled": "yes"}, {}, "auto-scaled", id="a bad switch"),
        pytest.param({"auto-scaled": "false", "grow-at": "x"}, {}, None, id="switched off"),
        pytest.param({"grow-at": "x"}, {}, None, id="never switched on"),
    ],
)
def test_what_the_autoscaler_cannot_follow_holds_the_set(
    annotations: dict[str, str], labels: dict[str, str], expected: str | None
) -> None:
    """Status, Event and metric name the annotation, and a wish waits until it is mended."""
    live = whole_set({"resize-0": "20Gi", **annotations}, metadata={"labels": own(labels)})

    found = read_policy(decoded(live, StatefulSet), BOUNDS, {})

    assert expected == (found.key if isinstance(found, Fault) else None)
    if isinstance(found, Fault):
        assert (Reason.MALFORMED, True) == (found.reason, str(expected) in found.sentence)


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=12)), st.text(max_size=80))
def test_any_annotation_gets_an_answer(annotations: dict[str, str], wish: str) -> None:
    """Whatever people write, the answer is a policy or a fault in printable words."""
    found = judged({**annotations, "resize-0": wish})

    assert isinstance(found, Policy) or found.sentence.isprintable()
