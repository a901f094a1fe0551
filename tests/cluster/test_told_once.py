"""What lasts is logged once: the log of an operator is read when something is wrong."""

import logging

import pytest

from tests.cluster.looks import metric
from tests.support.fixtures import Run
from tests.support.operators import Operator
from tests.support.sets import Sets, statefulset

LOOKS = 3


def test_a_refusal_is_logged_again_only_after_the_set_has_gone_on(
    sets: Sets, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """Further looks at a refused set say nothing new; the same mistake made again is told again."""
    caplog.set_level(logging.WARNING, "rso")
    sets.make(statefulset(replicas=1))

    def count() -> int:
        return [each.getMessage() for each in caplog.records].count("set is blocked")

    def wait_looks(operator: Operator) -> None:
        enough = metric(operator, "rso_reconciles_total", result="blocked") + LOOKS
        sets.wait(
            lambda: metric(operator, "rso_reconciles_total", result="blocked") >= enough,
            "it is looked at again, after pauses",
        )

    with run() as operator:
        sets.annotate("db", resize_0="100Gi")
        sets.wait_status("db", "Blocked: StepTooBig")
        wait_looks(operator)
        first = count()
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done")
        sets.annotate("db", resize_0="100Gi")
        sets.wait_status("db", "Blocked: StepTooBig")
        wait_looks(operator)

    assert (1, 2) == (first, count())
