"""Class A, extras: death at the writes that only an operator makes which has to wait.

A race decides whether an undisturbed run makes them (writes.py): here each is brought about.
"""

import pytest

from tests.faults.batch import Batch, Outcome
from tests.faults.trouble import keep_pod_away, let_pod_come, set_ready
from tests.support.faults import KILLS, Fault, Point, Position
from tests.support.scene import Scene, Shape
from tests.support.sets import Json
from tests.support.tally import Count

Case = tuple[Point, Position]
PLAIN = Shape(1, 1)
WAITING = Point("status Waiting")
GOING_ON = Point("status Growing", 2)
UNREFERENCE = Point("unreference data-db-0")


class Ordered(Shape):
    """A set whose controller removes no reference while Pod 0 is not ready (kubernetes.md P5)."""

    def manifest(self, owner: Json) -> Json:
        """Return the set."""
        made = Shape.manifest(self, owner)
        made["spec"]["podManagementPolicy"] = "OrderedReady"
        return made


@pytest.mark.timeout(300)
def test_27_a_death_while_the_set_is_not_quiet_is_no_worse(batch: Batch, count: Count) -> None:
    """Whoever dies on telling that it waits, or that it goes on, has a successor that ends it."""
    cases = [(point, each) for point in (WAITING, GOING_ON) for each in KILLS]
    scenes = batch.scenes(PLAIN, len(cases))

    def play(pair: tuple[Case, Scene]) -> Outcome:
        (point, position), scene = pair
        fault = Fault(point, position)
        play_not_quiet(scene, fault, point)
        name = f"{PLAIN.id}-X-{point.slug}.{position}"
        return Outcome(name, fault.fired.is_set(), batch.judge(scene, None))

    outcomes = batch.together(zip(cases, scenes, strict=True), play)
    for outcome in outcomes:
        count("extras", PLAIN.id, outcome.result)

    assert [] == [each.complaint for each in outcomes if each.result != "survived"]


def play_not_quiet(scene: Scene, fault: Fault, point: Point) -> None:
    """Let an operator wait for a Pod and die at the point, and another one end the resize."""
    keep_pod_away(scene)
    scene.wish()
    operator = scene.operator(before=fault.before, after=fault.after)
    fault.wire = operator.wire
    operator.start()
    is_told = fault.fired.is_set if point == WAITING else lambda: is_waiting(scene)
    scene.wait(is_told, "it waits for the Pod")
    let_pod_come(scene)
    scene.wait(fault.fired.is_set, f"the write {point.slug}")
    operator.kill()
    scene.finish()


def is_waiting(scene: Scene) -> bool:
    """Return whether the status says that the set is waited for."""
    return scene.sets.status("db").startswith("Waiting: NotQuiet")


@pytest.mark.timeout(300)
def test_15_a_death_on_removing_a_reference_is_no_worse(batch: Batch, count: Count) -> None:
    """Whoever dies on making a claim survive its set has a successor that ends the resize."""
    shape = Ordered(1, 1, "Delete")
    scenes = batch.scenes(shape, len(KILLS))

    def play(pair: tuple[Position, Scene]) -> Outcome:
        position, scene = pair
        set_ready(scene, is_ready=False)
        scene.wish()
        fired = scene.strike(Fault(UNREFERENCE, position))
        operator = scene.operator().start()
        scene.wait(scene.is_done, "the resize is done")
        set_ready(scene, is_ready=True)
        scene.wait(scene.is_at_rest, "everything is at rest")
        operator.stop()
        name = f"{shape.id}-X-{UNREFERENCE.slug}.{position}"
        return Outcome(name, fired, batch.judge(scene, None))

    outcomes = batch.together(zip(KILLS, scenes, strict=True), play)
    for outcome in outcomes:
        count("extras", shape.id, outcome.result)

    assert [] == [each.complaint for each in outcomes if each.result != "survived"]
