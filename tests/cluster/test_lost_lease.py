"""A leader cut off from its Lease: a real rival takes over, and the first one writes no more."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rso.kube.errors import LeaseLost
from tests.cluster.looks import count
from tests.support.faults import Point
from tests.support.fixtures import Run
from tests.support.operators import Operator, settings_for
from tests.support.outage import LeaseOutage
from tests.support.rows import Row
from tests.support.sets import Sets, statefulset, template_sizes

TAKEOVER_SECONDS = 60.0  # the Lease ends after 15; a loaded machine
NAMES = ("db", "pending", "late")


@contextmanager
def running(operator: Operator) -> Iterator[Operator]:
    """Run an operator that may die of its lost Lease."""
    operator.start()
    try:
        yield operator
    finally:
        operator.kill()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("write", ["save", "delete", "create"])
def test_87_nobody_writes_after_the_lease_is_lost(
    sets: Sets, run: Run, at_rest: Row, operator_namespace: str, key_dir: Path, write: str
) -> None:
    """A leader whose renewals get lost ends, and what it had under way or due is never sent.

    One write is under way, a second set waits for its turn, and a third one wishes when the rival
    leads; the rival brings all three to their end, each with one delete and one create.
    """
    for name in NAMES:
        sets.make(statefulset(name, replicas=0))
    settings = settings_for(sets.cluster, operator_namespace, key_dir, leader_elect=True)
    first = Operator(sets.cluster, settings, sets.namespace)
    outage = LeaseOutage(first.wire.transport, Point(write))
    first.wire.transport = outage

    with at_rest.around(running(first)):
        sets.annotate("db", resize_0="2Gi")
        sets.wait(outage.begun.is_set, "the Lease is out of reach")
        sets.annotate("pending", resize_0="2Gi")
        with run(leader_elect=True) as rival:
            sets.wait(lambda: rival.is_leader, "the rival leads", TAKEOVER_SECONDS)
            before = len(outage.written)
            outage.release()
            sets.annotate("late", resize_0="2Gi")
            for name in NAMES:
                sets.wait_status(name, "Done: data=2Gi")
            sets.wait(lambda: not first.is_alive, "the first one has ended")

    assert [] == outage.written[before:]
    assert isinstance(first.error, LeaseLost)
    for words in ("delete statefulsets", "create statefulsets"):
        assert len(NAMES) == count(first, words) + count(rival, words)
    assert [{"data": "2Gi"}] * len(NAMES) == [template_sizes(sets.get(name)) for name in NAMES]
