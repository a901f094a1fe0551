"""A user deletes the set at every point of a resize: it stays deleted.

Two exceptions are documented, each with a crash just then: in doubt no set is lost.
"""

import pytest

from rso.kube.transport import Request, Response
from tests.faults.batch import Batch
from tests.support.faults import Fault, Interruption, Point, Position, write_name
from tests.support.scene import Scene, Shape
from tests.support.tally import Count

SHAPE = Shape(1, 1)
WRITES = 10
MODES = ("Background", "Foreground", "Orphan")
# Between our DELETE and our CREATE there is no set that a user could delete.
ABSENT = ("create",)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", MODES)
def test_a_set_that_its_user_deletes_stays_deleted(batch: Batch, count: Count, mode: str) -> None:
    """Whenever a user deletes the set, in whichever mode, no instance creates it again."""
    first, *others = batch.scenes(SHAPE, WRITES + 1)
    points = batch.play_without_fault(first).points

    def play(pair: tuple[Point, Scene]) -> tuple[str, ...]:
        point, scene = pair
        return tuple(play_deletion(scene, point, mode))

    chosen = [point for point in points if point.write not in ABSENT]
    found = batch.together(list(zip(chosen, others, strict=False)), play)
    for complaints in found:
        count(f"user deletes, {mode}", SHAPE.id, "failed" if complaints else "survived")

    assert [each for complaints in found for each in complaints] == []


def play_deletion(scene: Scene, point: Point, mode: str) -> list[str]:
    """Return what is wrong after a user's deletion just before a write."""
    deletion = Interruption(point, lambda: delete(scene, mode))
    scene.wish()
    operator = scene.operator(before=deletion.before).start()
    try:
        scene.wait(deletion.fired.is_set, f"the write {point.slug}")
        scene.wait(lambda: scene.sets.find("db") is None, "the set has gone")
        scene.wait(lambda: not active_backups(scene), "no backup is waited for")
    finally:
        operator.stop()
    look_again(scene)
    is_back = scene.sets.find("db") is not None
    return [f"{point.slug}: the set came back"] if is_back else []


def look_again(scene: Scene) -> None:
    """Let a fresh operator look at everything, and end in order."""
    scene.operator().start().stop()


def active_backups(scene: Scene) -> list[str]:
    """Return the backups that a set could still be created from."""
    phase = "resize-statefulset-operator/phase"
    return [
        each["metadata"]["name"]
        for each in scene.backups()
        if each["metadata"]["labels"].get(phase) != "superseded"
    ]


def delete(scene: Scene, mode: str) -> None:
    scene.cluster.delete("statefulset", "db", scene.namespace, mode)


@pytest.mark.parametrize("mode", MODES)
def test_a_label_whose_answer_is_lost_leaves_no_doubt(batch: Batch, mode: str) -> None:
    """An operator that lives on knows that it sent no DELETE: the user's deletion holds."""
    (scene,) = batch.scenes(SHAPE, 1)
    fault = Fault(Point("label deleting"), Position.LOST)

    def lose(request: Request, response: Response) -> None:
        if request.changes and write_name(request) == "label deleting" and response.status < 300:
            delete(scene, mode)
            scene.wait(lambda: scene.sets.find("db") is None, "the set has gone")
        fault.after(request, response)

    scene.wish()
    operator = scene.operator(before=fault.before, after=lose).start()
    try:
        scene.wait(lambda: fault.fired.is_set() and not scene.backups(), "the backup is dropped")
    finally:
        operator.stop()
    look_again(scene)

    assert scene.sets.find("db") is None
    assert not [sent for sent in operator.wire.changes() if write_name(sent.request) == "create"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("point", [Point("delete"), Point("label superseded")], ids=str)
def test_in_doubt_the_set_comes_back(batch: Batch, point: Point) -> None:
    """A deletion between two writes of ours, with a crash just then, brings the set back.

    Between the label and our DELETE, and between our CREATE and the label superseded.
    """
    (scene,) = batch.scenes(SHAPE, 1)
    scene.wish()
    assert scene.strike(Fault(point, Position.BEFORE))
    delete(scene, "Background")
    scene.wait(lambda: scene.sets.find("db") is None, "the set has gone")
    scene.finish()

    assert scene.is_done()
    assert scene.backups() == []
