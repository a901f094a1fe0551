"""A request that was under way when its operator died lands later: before or after the others."""

import pytest

from tests.faults.batch import Batch, Outcome, Reference
from tests.support.faults import Fault, Interruption, Point, Position
from tests.support.scene import Scene, Shape
from tests.support.tally import Count

SHAPE = Shape(1, 1)
WRITES = 10  # of this shape: six that safety.md counts, the labels and the status twice


@pytest.mark.timeout(600)
@pytest.mark.parametrize("moment", ["at the same write", "at rest"])
def test_a_late_request_does_no_harm(batch: Batch, count: Count, moment: str) -> None:
    """A request that lands when another instance is at the same write, or done, does no harm."""
    first, *others = batch.scenes(SHAPE, WRITES + 1)
    reference = batch.play_without_fault(first)

    def play(pair: tuple[Point, Scene]) -> Outcome:
        point, scene = pair
        return play_late(batch, scene, reference, point, moment)

    outcomes = batch.together(list(zip(reference.points, others, strict=True)), play)
    for outcome in outcomes:
        count("late requests", SHAPE.id, outcome.result)

    assert [each.complaint for each in outcomes if each.result == "failed"] == []


def play_late(
    batch: Batch, scene: Scene, reference: Reference, point: Point, moment: str
) -> Outcome:
    """Play one late request; not fired, where the other instance never comes to that write."""
    name = f"{SHAPE.id}-I-{point.slug}.{moment.replace(' ', '-')}"
    fault = Fault(point, Position.BEFORE)
    landing = Interruption(Point(point.write), lambda: fault.land(scene.cluster))
    scene.wish()
    try:
        scene.strike(fault)
        if moment == "at the same write":
            scene.finish(before=landing.before)
        else:
            scene.finish()
            fault.land(scene.cluster)
            scene.finish()
        fired = moment == "at rest" or landing.fired.is_set()
        return Outcome(name, fired, batch.judge(scene, reference.end))
    except AssertionError as error:
        return Outcome(name, fired=True, violations=(str(error),))
