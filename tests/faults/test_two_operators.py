"""Two resizers by mistake, with two Leases: both work on the same set."""

import pytest

from tests.faults.batch import Batch
from tests.support.faults import Fault, Interruption, Point, Position
from tests.support.scene import Scene, Shape

SHAPE = Shape(3, 1)
ROUNDS = 6


@pytest.mark.timeout(600)
def test_two_resizers_delete_a_set_once(batch: Batch) -> None:
    """Two resizers that do not know of each other delete and create a set once."""
    first, *others = batch.scenes(SHAPE, ROUNDS + 1)
    reference = batch.play_without_fault(first)

    def play(scene: Scene) -> tuple[str, ...]:
        pair = [scene.operator().start() for _ in range(2)]
        scene.wish()
        scene.wait(scene.is_at_rest, "everything is at rest")
        for operator in pair:
            operator.stop()
        return batch.judge(scene, reference.end)

    assert [each for found in batch.together(others, play) for each in found] == []


@pytest.mark.timeout(600)
def test_a_resizer_that_pauses_at_a_write_does_no_harm(batch: Batch) -> None:
    """Where one resizer stops before a write and the other does everything, nothing is done twice.

    The first then goes on with what it had decided.
    """
    first, *others = batch.scenes(SHAPE, 13)
    reference = batch.play_without_fault(first)

    def play(pair: tuple[Point, Scene]) -> list[str]:
        point, scene = pair
        pause = Interruption(point, scene.finish)
        scene.wish()
        operator = scene.operator(before=pause.before).start()
        sent = operator.wire.sent
        scene.wait(lambda: pause.is_past(sent) and scene.is_at_rest(), "everything is at rest")
        operator.stop()
        return [f"{point.slug}: {each}" for each in batch.judge(scene, reference.end)]

    pairs = list(zip(reference.points, others, strict=False))
    assert [each for found in batch.together(pairs, play) for each in found] == []


@pytest.mark.timeout(180)
def test_a_set_that_another_resizer_brought_back_is_ours(batch: Batch) -> None:
    """Who finds the name of an absent set taken never says so of a set from the same backup.

    The other resizer has created it, labelled the backup and given the fields back, and died.
    """
    first, scene = batch.scenes(SHAPE, 2)
    reference = batch.play_without_fault(first)
    scene.wish()
    scene.strike(Fault(Point("delete"), Position.AFTER))
    rival = Interruption(
        Point("create"), lambda: scene.strike(Fault(Point("managers"), Position.AFTER))
    )

    operator = scene.operator(before=rival.before).start()
    sent = operator.wire.sent
    scene.wait(lambda: rival.is_past(sent) and scene.is_at_rest(), "everything is at rest")
    operator.stop()

    assert list(batch.judge(scene, reference.end)) == []
