"""Class A: the operator dies at each write, and another instance takes over.

The points are those of a run without a fault, recorded just before: a write that is new is struck
like all others, and counted as an extra until safety.md counts it. What every run must write is
recorded, or the test fails, and is struck, or the test fails; only a write that is optional
(writes.py) may be listed and not fired, and is named at the end of the run.
"""

import pytest

from tests.faults.batch import Batch, Outcome
from tests.faults.writes import due, is_optional
from tests.support.faults import KILLS, Fault, Point, Position
from tests.support.recording import Record
from tests.support.scene import Scene, Shape
from tests.support.tally import Count

SHAPES = (Shape(0, 1), Shape(1, 1), Shape(3, 1), Shape(3, 2), Shape(3, 1, "Delete"))
CASES = [
    *((shape, position) for shape in SHAPES for position in KILLS),
    (Shape(3, 1), Position.LOST),
    (Shape(3, 1, "Delete"), Position.LOST),
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("shape", "position"), [pytest.param(*each, id=f"{each[0].id}-{each[1]}") for each in CASES]
)
def test_27_another_instance_takes_over(
    batch: Batch, count: Count, record: Record, shape: Shape, position: Position
) -> None:
    """Wherever the operator dies, another one ends the resize as if nothing had happened."""
    expected = due(shape)
    first, *others = batch.scenes(shape, len(expected) + 1)
    reference = batch.play_without_fault(first)
    recorded = reference.points
    others += batch.scenes(shape, max(0, len(recorded) - len(others)))

    def play(pair: tuple[Point, Scene]) -> Outcome:
        point, scene = pair
        name = case_id(shape, recorded, point, position)
        return batch.play(scene, reference, name, Fault(point, position))

    outcomes = batch.together(zip(recorded, others[: len(recorded)], strict=True), play)
    struck = list(zip(recorded, outcomes, strict=True))
    for point, outcome in struck:
        count(kind_of(point, position), shape.id, outcome.result)
    skipped = [each.id for point, each in struck if is_optional(shape, point) and each.did_not_come]
    if skipped:
        record(f"not fired: {', '.join(skipped)}")

    assert reference.complaints == ()
    assert [] == [point.slug for point in expected if point not in recorded]
    assert essential(expected) == essential(recorded)
    lost = [each for each in outcomes if each.result != "survived" and each.id not in skipped]
    assert [] == [each.complaint for each in lost]


def essential(points: list[Point]) -> list[Point]:
    """Return the points that safety.md counts."""
    return [point for point in points if point.is_essential]


def case_id(shape: Shape, recorded: list[Point], point: Point, position: Position) -> str:
    """Return the name of a case: `R3T1-A-4.commit`, or `R3T1-X-label-deleting.commit`."""
    if point.is_essential and position in KILLS:
        return f"{shape.id}-A-{essential(recorded).index(point) + 1}.{position}"
    return f"{shape.id}-X-{point.slug}.{position}"


def kind_of(point: Point, position: Position) -> str:
    """Return under which class a case counts."""
    return "class A" if point.is_essential and position in KILLS else "extras"


@pytest.mark.timeout(600)
def test_27_lease_and_event_writes_are_no_worse(batch: Batch, count: Count) -> None:
    """A death at a write of the Lease or of an Event is like any other."""
    shape = Shape(1, 1)
    cases = [(write, each) for write in ("create leases", "create events") for each in KILLS]
    first, *others = batch.scenes(shape, len(cases) + 1)
    reference = batch.play_without_fault(first)

    def play(item: tuple[tuple[str, Position], Scene]) -> Outcome:
        (write, position), scene = item
        point = Point(write)
        name = f"{shape.id}-X-{point.slug}.{position}"
        return batch.play(scene, reference, name, Fault(point, position), leader_elect=True)

    outcomes = batch.together(list(zip(cases, others, strict=True)), play)
    for outcome in outcomes:
        count("extras", shape.id, outcome.result)

    assert [each.complaint for each in outcomes if each.result != "survived"] == []
