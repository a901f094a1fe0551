"""A user deletes the set at every point of a resize: it stays deleted.

Two exceptions are documented, each with a crash just then: in doubt no set is lost.
"""

import pytest

from rso.kube.transport import Request, Response
from tests.faults.batch import Batch
from tests.faults.writes import is_optional
from tests.support.faults import Fault, Interruption, Point, Position, write_name
from tests.support.scene import Scene, Shape
from tests.support.sets import statefulset
from tests.support.tally import Count

SHAPES = (Shape(1, 1), Shape(1, 1, "Delete"))
MODES = ("Background", "Foreground", "Orphan")
# Between our DELETE and our CREATE there is no set that a user could delete.
ABSENT = "create"
WITNESS = "witness"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.id)
def test_27_a_set_that_its_user_deletes_stays_deleted(
    batch: Batch, count: Count, shape: Shape, mode: str
) -> None:
    """Whenever a user deletes the set, in whichever mode, no instance creates it again."""
    (first,) = batch.scenes(shape, 1)
    points = batch.play_without_fault(first).points
    chosen = [each for each in points if each.write != ABSENT and not is_optional(shape, each)]
    others = batch.scenes(shape, len(chosen))

    def play(pair: tuple[Point, Scene]) -> tuple[str, ...]:
        point, scene = pair
        play_deletion(scene, point, mode)
        found = [*batch.judge_deleted(scene), *look_again(scene)]
        return tuple(f"{point.slug}: {each}" for each in found)

    found = batch.together(list(zip(chosen, others, strict=True)), play)
    for complaints in found:
        count(f"user deletes, {mode}", shape.id, "failed" if complaints else "survived")

    assert shape.essential_writes - 1 == sum(each.is_essential for each in chosen)
    assert [each for complaints in found for each in complaints] == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", MODES)
def test_27_a_set_that_its_user_deletes_while_claims_are_freed_stays_deleted(
    batch: Batch, count: Count, mode: str
) -> None:
    """So does one that goes just before we remove the reference of a claim without a Pod.

    No controller removes that reference: the write comes in every run.
    """
    shape = Shape(2, 1, "Delete")
    (scene,) = batch.scenes(shape, 1)
    scene.sets.cluster.merge("statefulset", "db", scene.namespace, {"spec": {"replicas": 1}})
    scene.wait(lambda: len(scene.sets.pods("db")) == 1, "the set is scaled down")
    scene.settle()

    play_deletion(scene, Point("unreference data-db-1"), mode)
    found = [*batch.judge_deleted(scene), *look_again(scene)]
    count(f"user deletes, {mode}", shape.id, "failed" if found else "survived")

    assert found == []


def play_deletion(scene: Scene, point: Point, mode: str) -> None:
    """Delete the set as its user just before a write, and wait until nothing is left of it."""
    deletion = Interruption(point, lambda: delete(scene, mode))
    scene.wish()
    operator = scene.operator(before=deletion.before).start()
    try:
        scene.wait(lambda: deletion.is_past(operator.wire.sent), f"the write {point.slug}")
        scene.wait(lambda: scene.sets.find("db") is None, "the set has gone")
        scene.wait(lambda: not active_backups(scene), "no backup is waited for")
    finally:
        operator.stop()


def look_again(scene: Scene) -> list[str]:
    """Return what a fresh operator does wrong that looks at what is left.

    It has looked when it has brought another set to its end: each look at that one is later than
    the first at what is left of `db`.
    """
    wish = {"resize-statefulset-operator/resize-0": "2Gi"}
    scene.cluster.apply(statefulset(WITNESS, replicas=0, annotations=wish), scene.namespace)
    operator = scene.operator().start()
    scene.wait(lambda: scene.sets.status(WITNESS) == "Done: data=2Gi", "everything is looked at")
    operator.stop()
    return ["the set came back"] if scene.sets.find("db") is not None else []


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
    (scene,) = batch.scenes(SHAPES[0], 1)
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

    assert [] == look_again(scene)
    assert not [sent for sent in operator.wire.changes() if write_name(sent.request) == "create"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.id)
@pytest.mark.parametrize("write", ["delete", "label superseded"])
def test_27_in_doubt_the_set_comes_back(batch: Batch, shape: Shape, write: str) -> None:
    """A deletion between two writes of ours, with a crash just then, brings the set back whole.

    Between the label and our DELETE, and between our CREATE and the label superseded. The user
    leaves the Pods, so that all oracles hold but the one that counts sets: there is one more.
    """
    reference, scene = batch.scenes(shape, 2)
    end = batch.play_without_fault(reference).end
    scene.wish()
    assert scene.strike(Fault(Point(write), Position.BEFORE))
    delete(scene, "Orphan")
    scene.wait(lambda: scene.sets.find("db") is None, "the set has gone")
    scene.finish()

    found = batch.judge(scene, end)
    assert [each for each in found if not each.startswith("O5:")] == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("write", ["delete", "label superseded"])
def test_27_in_doubt_a_set_whose_pods_were_deleted_too_comes_back(batch: Batch, write: str) -> None:
    """The set is back and done although its user has deleted its Pods with it."""
    (scene,) = batch.scenes(SHAPES[0], 1)
    scene.wish()
    assert scene.strike(Fault(Point(write), Position.BEFORE))
    delete(scene, "Background")
    scene.wait(lambda: scene.sets.find("db") is None, "the set has gone")
    scene.finish()

    assert scene.is_done()
    assert scene.backups() == []
