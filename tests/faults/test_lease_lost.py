"""A leader stands still, a real rival takes the Lease and ends the work, and the first goes on."""

import time
from datetime import datetime, timedelta

import pytest

from rso.kube.clock import SystemClock
from tests.faults.batch import Batch, Outcome
from tests.faults.writes import due
from tests.support.faults import Interruption, Point
from tests.support.operators import Operator
from tests.support.recording import Record
from tests.support.scene import Scene, Shape
from tests.support.tally import Count

SHAPE = Shape(1, 1)
TAKEOVER_SECONDS = 20.0


@pytest.mark.timeout(600)
def test_87_a_leader_that_loses_the_lease_at_a_write_does_no_harm(
    batch: Batch, count: Count
) -> None:
    """Frozen before each write until a rival is done, it sends what was under way, and ends."""
    (first,) = batch.scenes(SHAPE, 1)
    reference = batch.play_without_fault(first)
    points = due(SHAPE)
    others = batch.scenes(SHAPE, len(points))

    def play(pair: tuple[Point, Scene]) -> Outcome:
        point, scene = pair
        later = play_loss(scene, point)
        found = [f"{len(later)} writes: {later}"] if len(later) > 1 else []
        name = f"{SHAPE.id}-X-lease-lost-{point.slug}"
        return Outcome(name, fired=True, violations=(*found, *batch.judge(scene, reference.end)))

    outcomes = batch.together(list(zip(points, others, strict=True)), play)
    for outcome in outcomes:
        count("lease lost", SHAPE.id, outcome.result)

    assert SHAPE.essential_writes == sum(each.is_essential for each in points)
    assert [each.complaint for each in outcomes if each.result != "survived"] == []


def play_loss(scene: Scene, point: Point) -> list[str]:
    """Return what the first operator wrote from the moment on in which it was frozen."""
    sent_before = list[int]()

    def lose() -> None:
        sent_before.append(len(first.wire.sent))
        scene.finish(leader_elect=True, identity="rival")

    frozen = Interruption(point, lose)
    first = scene.operator(before=frozen.before, leader_elect=True, identity="first")
    scene.wish()
    first.start()
    scene.wait(frozen.fired.is_set, f"the rival is done at the write {point.slug}")
    scene.wait(lambda: not first.is_alive, "the first one has ended")
    scene.finish()  # a backup that came late is dropped by whoever works then
    return [
        sent.words
        for sent in first.wire.sent[sent_before[0] :]
        if sent.request.changes and sent.request.resource.plural not in ("leases", "events")
    ]


class Shifted(SystemClock):
    """A clock whose wall time is wrong."""

    def __init__(self, hours: float) -> None:
        self._error = timedelta(hours=hours)

    def now(self) -> datetime:
        return super().now() + self._error


@pytest.mark.timeout(600)
@pytest.mark.parametrize("hours", [1, -1], ids=["ahead", "behind"])
def test_87_a_clock_that_is_an_hour_wrong_neither_gives_nor_takes_the_lease(
    batch: Batch, record: Record, hours: float
) -> None:
    """A standby whose clock differs by an hour waits while the leader lives, then takes over."""
    first_scene, scene = batch.scenes(SHAPE, 2)
    reference = batch.play_without_fault(first_scene)
    leader, standby = operator_at(scene, "leader", 0), operator_at(scene, "standby", hours)
    leader.start()
    scene.wait(lambda: leader.is_leader, "the first one leads")
    standby.start()
    scene.wish()
    scene.wait(scene.is_at_rest, "everything is at rest")
    was_waiting = not standby.is_leader
    leader.kill()
    killed = time.monotonic()
    scene.wait(lambda: standby.is_leader, "the second one leads")
    seconds = time.monotonic() - killed
    standby.stop()

    record(f"taken over after {seconds:.1f} s")
    assert was_waiting
    assert [] == standby.wire.changes()
    assert seconds < TAKEOVER_SECONDS
    assert () == batch.judge(scene, reference.end)


def operator_at(scene: Scene, identity: str, hours: float) -> Operator:
    """Return an operator whose clock is wrong."""
    operator = scene.operator(leader_elect=True, identity=identity)
    operator.clock = Shifted(hours)
    return operator
