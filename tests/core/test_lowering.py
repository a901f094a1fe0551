"""When the autoscaler takes its own wish back, and to which size."""

from typing import Any

import pytest

from rso.core.autoscale import Usage
from rso.core.judge import Change
from rso.core.names import Hold
from tests.core.usages import outcome, usage, written
from tests.factories import Json

WISH = {"auto_resize_0": "128Gi", "templates": {"data": "64Gi"}}


def refused(
    request: str = "128Gi",
    capacity: str = "64Gi",
    worked_on: str | None = None,
    **changes: Any,  # noqa: ANN401  as `usage`
) -> Usage:
    """Return a claim whose storage says that this size is impossible."""
    status: Json = {
        "allocatedResources": {"storage": worked_on or request},
        "allocatedResourceStatuses": {"storage": "ControllerResizeInfeasible"},
    }
    return usage(0.9, 0.9, request=request, capacity=capacity, status=status, **changes)


@pytest.mark.parametrize(
    ("usages", "changes", "expected"),
    [
        pytest.param((refused(),), {}, "96Gi", id="half-way back"),
        pytest.param((refused("96Gi"),), {"auto_resize_0": "96Gi"}, "80Gi", id="half-way again"),
        pytest.param((refused("66Gi"),), {"auto_resize_0": "66Gi"}, "65Gi", id="the last one"),
        pytest.param(
            (refused("900Mi", "600Mi"),),
            {"auto_resize_0": "900Mi", "templates": {"data": "600Mi"}},
            "750Mi",
            id="whole mebibytes below a gibibyte",
        ),
        pytest.param((refused("65Gi"),), {"auto_resize_0": "65Gi"}, None, id="nothing in between"),
        pytest.param(
            (refused(), refused(name="data-db-1", capacity="100Gi")),
            {},
            "114Gi",
            id="above what each refused claim has",
        ),
        pytest.param((refused(),), {"max_size": "80Gi"}, "80Gi", id="not above the bound"),
        pytest.param((refused(),), {"max_size": "60Gi"}, None, id="the bound is below the claim"),
        pytest.param((refused(),), {"resize_0": "70Gi"}, "96Gi", id="above a person's wish"),
        pytest.param((refused(),), {"resize_0": "100Gi"}, None, id="a person wishes for more"),
        pytest.param(
            (usage(0.9, 0.9, request="128Gi"), refused(name="data-db-7")),
            {},
            "96Gi",
            id="a left-over claim, once the others are done",
        ),
    ],
)
def test_a_wish_that_storage_refuses_is_lowered(
    usages: tuple[Usage, ...], changes: Json, expected: str | None
) -> None:
    """To a size above what the claim has; withdrawn where there is none."""
    found = outcome(*usages, **{**WISH, **changes})

    change = Change.LOWER if expected else Change.WITHDRAW
    assert (Hold.INFEASIBLE, change, expected or "") == (found.hold, found.change, found.size)
    assert {"auto-resize-0": expected} == written(*usages, **{**WISH, **changes})
    assert "storage cannot grow claim data-db-" in found.sentence


@pytest.mark.parametrize(
    ("usages", "changes", "hold"),
    [
        pytest.param(
            (refused("96Gi", worked_on="128Gi"),),
            {"auto_resize_0": "96Gi"},
            Hold.INFEASIBLE,
            id="the refusal is of a larger size",
        ),
        pytest.param(
            (refused(),), {"auto_resize_0": "96Gi"}, Hold.INFEASIBLE, id="not followed down yet"
        ),
        pytest.param(
            (refused(),), {"resize_0": "128Gi"}, Hold.INFEASIBLE, id="a person wishes for it, too"
        ),
        pytest.param(
            (
                usage(
                    0.9,
                    request="128Gi",
                    capacity="64Gi",
                    status={"allocatedResourceStatuses": {"storage": "NodeResizeInfeasible"}},
                ),
            ),
            {},
            Hold.INFEASIBLE,
            id="the node refuses: a smaller size helps nothing",
        ),
        pytest.param(
            (usage(0.9, request="64Gi"), refused(name="data-db-7")),
            {},
            Hold.RESIZE_IN_FLIGHT,
            id="a left-over claim waits for those that Pods use",
        ),
        pytest.param((refused(),), {"paused": "true"}, Hold.PAUSED, id="paused"),
    ],
)
def test_a_wish_stays_where_lowering_does_not_help(
    usages: tuple[Usage, ...], changes: Json, hold: Hold
) -> None:
    """What storage has not refused yet, or not because of this wish, is not touched."""
    found = outcome(*usages, **{**WISH, **changes})

    assert (hold, Change.KEEP) == (found.hold, found.change)


@pytest.mark.parametrize(
    ("claims", "changes", "expected"),
    [
        pytest.param(("64Gi",), {"max_size": "100Gi"}, "100Gi", id="to the bound"),
        pytest.param(("64Gi",), {"max_size": "64Gi"}, None, id="to nothing: the bound is reached"),
        pytest.param(("64Gi",), {"max_size": "1Gi"}, None, id="to nothing: beyond the bound"),
        pytest.param((), {"max_size": "100Gi"}, "100Gi", id="no claims yet"),
        pytest.param(
            ("1Gi",),
            {"templates": {"data": "1Gi"}},
            "10Gi",
            id="to ten times the largest claim",
        ),
        pytest.param(
            ("64Gi",), {"max_size": "100Gi", "resize_0": "100Gi"}, None, id="a person's is as large"
        ),
    ],
)
def test_a_wish_over_a_lowered_limit_is_lowered(
    claims: tuple[str, ...], changes: Json, expected: str | None
) -> None:
    """The resizer refuses such a wish, and every other wish with it."""
    usages = [usage(0.5, request=each) for each in claims]

    found = outcome(*usages, **{**WISH, **changes})

    assert Hold.AT_LIMIT == found.hold
    assert {"auto-resize-0": expected} == written(*usages, **{**WISH, **changes})
    assert "the wish for 128Gi is above the limit of" in found.sentence


def test_a_wish_that_a_claim_has_already_stays() -> None:
    """Below the bound or not: what one replica has, the others may have, too."""
    found = outcome(usage(0.5, request="128Gi"), **{**WISH, "max_size": "100Gi"})

    assert Change.KEEP == found.change
