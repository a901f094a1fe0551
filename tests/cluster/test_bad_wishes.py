"""Bad input in a set's annotations: nothing is written, and a better annotation ends it."""

from dataclasses import dataclass, field

import pytest

from tests.cluster.looks import metric, reasons, writes
from tests.cluster.refusals import NAME, types
from tests.support.fixtures import Run
from tests.support.sets import Sets, statefulset

EXAMPLES = "for example 10Gi, 1.5Ti or 500G"
UNITS = "(units: Ki Mi Gi Ti Pi Ei, k M G T P E)"


@dataclass(frozen=True)
class BadWish:
    """A wish, the whole status it leads to, and the annotations that end it."""

    status: str
    wish: dict[str, str]
    cure: dict[str, str | None] = field(default_factory=lambda: {"resize_0": None})
    templates: dict[str, str] = field(default_factory=lambda: {"data": "1Gi"})

    @property
    def reason(self) -> str:
        """The word of the closed list."""
        return self.status.split(": ")[1]


def malformed(key: str, value: str, why: str) -> str:
    return f"Blocked: Malformed: {key}: {value!r} cannot be used: {why}"


WISHES = [
    pytest.param(
        BadWish(
            malformed(
                "resize-0",
                "2Gi2",
                f"it is not a size; write a whole or decimal number and a unit, {EXAMPLES} {UNITS}",
            ),
            {"resize_0": "2Gi2"},
        ),
        id="malformed quantity",
    ),
    pytest.param(
        BadWish(
            malformed("resize-0", "-2Gi", "it has a sign; write the number without + or -"),
            {"resize_0": "-2Gi"},
        ),
        id="negative",
    ),
    pytest.param(
        BadWish(malformed("resize-0", "0", "it is zero"), {"resize_0": "0"}),
        id="zero",
    ),
    pytest.param(
        BadWish(
            malformed("resize-0", "1500m", "m, u and n are parts of a byte; did you mean Mi?"),
            {"resize_0": "1500m"},
        ),
        id="sub-byte",
    ),
    pytest.param(
        BadWish(
            malformed(
                "max-size",
                "much",
                f"it is not a size; write a whole or decimal number and a unit, {EXAMPLES} {UNITS}",
            ),
            {"resize_0": "1Gi", "max_size": "much"},
            {"max_size": None},
        ),
        id="malformed bound",
    ),
    pytest.param(
        BadWish(
            "Blocked: Malformed: paused is 'yes'; write true or false",
            {"resize_0": "1Gi", "paused": "yes"},
            {"paused": None},
        ),
        id="a flag that is neither true nor false",
    ),
    pytest.param(
        BadWish(
            "Blocked: OverBound: resize-0 asks for 3000Gi, above the bound of 2000Gi; lower it, or "
            "raise max-size of the set or --max-size of the operator, whichever is smaller",
            {"resize_0": "3000Gi", "confirm": "3000Gi"},
        ),
        id="81 over the operator's bound",
    ),
    pytest.param(
        BadWish(
            "Blocked: OverBound: resize-0 asks for 6Gi, above the bound of 5Gi; lower it, or "
            "raise max-size of the set or --max-size of the operator, whichever is smaller",
            {"resize_0": "6Gi", "max_size": "5Gi"},
        ),
        id="81 over the set's own bound",
    ),
    pytest.param(
        BadWish(
            "Blocked: StepTooBig: resize-0 asks for 11Gi, more than 10 times 1Gi; volumes never "
            "shrink, so confirm it with the annotation "
            "resize-statefulset-operator/confirm=11Gi, or lower it",
            {"resize_0": "11Gi"},
        ),
        id="step too big",
    ),
    pytest.param(
        BadWish(
            "Blocked: UnknownTemplate: resize-7 names no claim template: the set has 0=data; "
            "correct or remove the annotation",
            {"resize_7": "2Gi"},
            {"resize_7": None},
        ),
        id="index out of range",
    ),
    pytest.param(
        BadWish(
            "Blocked: UnknownTemplate: resize.logs names no claim template: the set has 0=data; "
            "correct or remove the annotation",
            {"resize__logs": "2Gi"},
            {"resize__logs": None},
        ),
        id="unknown template",
    ),
    pytest.param(
        BadWish(
            "Blocked: UnknownTemplate: resize-0 names no claim template: the set has no "
            "volumeClaimTemplates; remove the annotation",
            {"resize_0": "2Gi"},
            templates={},
        ),
        id="a set without templates",
    ),
]


@pytest.mark.parametrize("bad", WISHES)
def test_a_bad_wish_changes_nothing(sets: Sets, run: Run, bad: BadWish) -> None:
    """A wish that cannot be followed is refused in its own words and writes nothing."""
    sets.make(statefulset(replicas=1, sizes=bad.templates), settled=False)
    before = sets.get("db")

    with run() as operator:
        sets.annotate("db", **bad.wish)
        status = sets.wait_status("db", "Blocked")
        sets.wait(lambda: metric(operator, NAME, reason=bad.reason) == 1, "it is counted")
        told = sets.wait_event("db", bad.reason)
        sets.annotate("db", **bad.cure)
        sets.wait(lambda: not sets.status("db").startswith("Blocked"), "the refusal has ended")
        sets.wait(lambda: metric(operator, NAME) == 0, "no set is blocked")

    assert bad.status == status
    assert status.removeprefix(f"Blocked: {bad.reason}: ") == told
    assert {"Warning"} == types(sets, bad.reason)
    assert [bad.reason] == [each for each in reasons(sets, "db") if each == bad.reason]
    assert writes(operator) == []
    assert before["metadata"]["uid"] == sets.get("db")["metadata"]["uid"]
    assert before["spec"] == sets.get("db")["spec"]


def test_a_big_step_is_taken_once_it_is_confirmed(sets: Sets, run: Run) -> None:
    """The annotation `confirm` with the size or more ends the refusal; with less it does not."""
    sets.make(statefulset(replicas=1))

    with run() as operator:
        sets.annotate("db", resize_0="11Gi")
        sets.wait_status("db", "Blocked: StepTooBig")
        sets.annotate("db", confirm="10Gi")
        sets.wait(lambda: operator.looks > 1, "it is looked at")
        refused = writes(operator)
        sets.annotate("db", confirm="11Gi")
        sets.wait_status("db", "Done: data=11Gi")

    assert [] == refused
    assert {"data-db-0": "11Gi"} == sets.requests()
