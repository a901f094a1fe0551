"""Several operators: one works, the next one takes over in time."""

import time

import pytest

from rso.kube.lease import DURATION_SECONDS
from tests.cluster.looks import count, metric, writes
from tests.support.fixtures import Run
from tests.support.operators import Operator
from tests.support.recording import Record
from tests.support.sets import Sets, statefulset, template_sizes

TAKEOVER_SECONDS = 20.0
AT_ONCE_SECONDS = DURATION_SECONDS - 3  # much sooner than a Lease that nobody gave back ends


def leads(operator: Operator) -> bool:
    return metric(operator, "rso_leader") == 1


@pytest.mark.parametrize(
    ("is_killed", "most_seconds"),
    [
        pytest.param(True, TAKEOVER_SECONDS, id="killed"),
        pytest.param(False, AT_ONCE_SECONDS, id="stopped"),
    ],
)
def test_a_standby_takes_over(
    sets: Sets, run: Run, record: Record, most_seconds: float, *, is_killed: bool
) -> None:
    """A standby has complete caches, writes nothing, and takes over in time with the work left."""
    sets.make(statefulset(replicas=0))

    with run(leader_elect=True) as first:
        sets.wait(lambda: leads(first), "the first one leads")
        with run(leader_elect=True) as second:
            assert second.resizer is not None
            is_warm = second.resizer.missing() is None
            written = writes(second)
            started = time.monotonic()
            first.kill() if is_killed else first.stop()
            sets.annotate("db", resize_0="2Gi")
            sets.wait(lambda: leads(second), "the second one leads", 40)
            seconds = time.monotonic() - started
            sets.wait_status("db", "Done: data=2Gi")

    record(f"taken over after {seconds:.1f} s")
    assert is_warm
    assert [] == written == writes(first)
    assert seconds < most_seconds


def test_87_two_operators_on_one_lease_recreate_once(sets: Sets, run: Run) -> None:
    """Of two operators only the leader writes: one delete and one create in total."""
    sets.make(statefulset(replicas=0))

    with run(leader_elect=True) as first, run(leader_elect=True) as second:
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done: data=2Gi")

    both = sorted(len(writes(each)) for each in (first, second))
    assert both[0] == 0 < both[1]
    deletes = count(first, "delete statefulsets") + count(second, "delete statefulsets")
    assert deletes == 1


def test_87_two_operators_by_mistake_recreate_once(sets: Sets, run: Run) -> None:
    """Even two operators that both believe to lead delete and create the set once in total."""
    sets.make(statefulset(replicas=2))

    with run() as first, run() as second:
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done: data=2Gi")

    for words in ("delete statefulsets", "create statefulsets"):
        assert 1 == count(first, words) + count(second, words)
    assert template_sizes(sets.get("db")) == {"data": "2Gi"}
