"""Several operators: one works, the next one takes over, nobody writes after the Lease is lost."""

import time

import pytest

from rso.kube.transport import Request
from tests.cluster.conftest import Interfere
from tests.cluster.looks import count, metric, writes
from tests.support.fixtures import Run
from tests.support.operators import Operator
from tests.support.recording import Record
from tests.support.sets import Sets, statefulset, template_sizes

TAKEOVER_SECONDS = 20.0


def leads(operator: Operator) -> bool:
    return metric(operator, "rso_leader") == 1


@pytest.mark.parametrize(
    ("is_killed", "most_seconds"),
    [pytest.param(True, TAKEOVER_SECONDS, id="killed"), pytest.param(False, 5.0, id="stopped")],
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


@pytest.mark.parametrize(
    "plural_verb",
    [
        ("configmaps", "create"),
        ("statefulsets", "delete"),
        ("statefulsets", "create"),
    ],
    ids=["before the backup", "at the delete", "in the gap"],
)
def test_87_nobody_writes_after_the_lease_is_lost(
    sets: Sets, run: Run, interfere: Interfere, plural_verb: tuple[str, str]
) -> None:
    """An operator that another one has displaced ends without a write; the other one finishes."""
    sets.make(statefulset(replicas=0))
    lost = list[int]()

    def displace(request: Request) -> None:
        matches = (request.resource.plural, request.verb) == plural_verb and request.changes
        if matches and not lost:
            lost.append(len(operator.wire.sent))
            operator.resizer._lease._held_until = float("-inf")  # type: ignore[union-attr]

    with interfere(before=displace, leader_elect=True) as operator:
        sets.annotate("db", resize_0="2Gi")
        sets.wait(lambda: lost, "the Lease is lost")
        operator.kill()
    with run() as other:
        sets.wait_status("db", "Done: data=2Gi")

    later = [sent for sent in operator.wire.sent[lost[0] + 1 :] if sent.request.changes]
    assert not [sent.words for sent in later if sent.request.resource.plural != "leases"]
    total = [
        sum(count(each, words) for each in (operator, other))
        for words in ("delete statefulsets", "create statefulsets")
    ]
    assert max(total) <= 1  # the request in flight may be done although its answer was lost
    assert template_sizes(sets.get("db")) == {"data": "2Gi"}
