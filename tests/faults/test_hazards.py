"""Single moments in which a recreate could do harm, each built on purpose."""

import threading
from collections.abc import Callable
from datetime import datetime

import pytest

from rso.kube.errors import Unreachable
from rso.kube.transport import Request, Response
from testbed.cluster import Cluster
from tests.faults.batch import Batch
from tests.faults.trouble import keep_pod_away
from tests.support.controllers import stopped_controllers
from tests.support.faults import Fault, Point, Position, write_name
from tests.support.history import PODS, SETS
from tests.support.scene import Scene, Shape

pytestmark = pytest.mark.timeout(300)


def test_no_set_is_deleted_over_a_young_pod(batch: Batch) -> None:
    """A Pod that is replaced after the Pods were listed holds the delete up until it is old.

    The garbage collector might not know it yet and would collect it with the old uid.
    """
    (scene,) = batch.scenes(Shape(1, 1), 1)
    scene.wish()
    replaced = OnLook(lambda: replace_pod(scene))
    scene.finish(before=replaced.before, after=replaced.after)
    scene.history.catch_up()

    deleted = next(each for each in scene.history.of(SETS) if each.is_deleting)
    pods = scene.history.before(PODS, deleted.version)
    born = datetime.fromisoformat(pods["db-0"].object["metadata"]["creationTimestamp"])
    at = datetime.fromisoformat(deleted.object["metadata"]["deletionTimestamp"])
    assert replaced.is_done
    assert (at - born).total_seconds() >= 4  # both times are whole seconds
    assert not [each for each in scene.history.of(PODS) if each.is_deleting][2:]


class OnLook:
    """Acts once, before the last look at the whole set ahead of the first DELETE."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.is_done = False
        self._act = act
        self._is_saved = False

    def before(self, request: Request) -> None:
        """Act at the first look at the set after the backup was saved."""
        is_look = request.verb == "get" and request.resource.plural == "statefulsets"
        if self._is_saved and is_look and not self.is_done:
            self.is_done = True
            self._act()

    def after(self, request: Request, response: Response) -> None:
        """Notice that the backup was saved."""
        if request.changes and write_name(request) == "save":
            self._is_saved = response.status < 300


def replace_pod(scene: Scene) -> None:
    """Delete the Pod at once, and return when its successor is ready."""
    old = scene.sets.pods("db")["db-0"]["metadata"]["uid"]
    path = scene.cluster.api.resource("pod").path(scene.namespace, "db-0")
    scene.cluster.api.request("DELETE", path, {"gracePeriodSeconds": 0})

    def is_replaced() -> bool:
        pod = scene.sets.pods("db").get("db-0")
        return pod is not None and pod["metadata"]["uid"] != old and scene.sets.is_ready("db")

    scene.wait(is_replaced, "the Pod is replaced")


@pytest.mark.parametrize("position", [Position.COMMIT, Position.AFTER])
def test_a_slow_controller_manager_delays_the_set_only(
    batch: Batch, cluster: Cluster, position: Position
) -> None:
    """While nobody orphans the Pods, the next instance waits; then it brings the set back."""
    scene, other = batch.scenes(Shape(1, 1), 2)
    reference = batch.play_without_fault(other)
    scene.wish()
    with stopped_controllers(cluster):
        fired = scene.strike(Fault(Point("delete"), position))
        operator = scene.operator().start()
        going = scene.sets.get("db")["metadata"].get("finalizers")
    scene.wait(scene.is_at_rest, "everything is at rest")
    operator.stop()

    assert fired
    assert going == ["orphan"]
    assert batch.judge(scene, reference.end) == ()


def test_a_set_that_is_deleted_long_after_a_crash_stays_deleted(batch: Batch) -> None:
    """A crash between label and DELETE does not bring a set back that goes much later.

    A Pod is missing meanwhile, so that the next instance cannot go on at once.
    """
    (scene,) = batch.scenes(Shape(1, 1), 1)
    scene.wish()
    assert scene.strike(Fault(Point("delete"), Position.BEFORE))
    keep_pod_away(scene)
    operator = scene.operator().start()
    scene.wait(lambda: scene.sets.status("db").startswith("Waiting: NotQuiet"), "it waits")
    scene.cluster.delete("statefulset", "db", scene.namespace)
    scene.wait(lambda: not scene.backups(), "the backup is dropped")
    operator.stop()

    assert scene.sets.find("db") is None


@pytest.mark.parametrize("is_blind", [False, True], ids=["seen", "unseen"])
def test_a_deletion_by_the_user_while_the_set_goes_is_his(
    batch: Batch, cluster: Cluster, *, is_blind: bool
) -> None:
    """A foreground deletion that comes while the set is orphaned is obeyed: it stays deleted.

    Also when no look at the set shows it: then the watch does. The controller manager is stopped
    meanwhile, so that it cannot be faster than the user.
    """
    (scene,) = batch.scenes(Shape(1, 1), 1)
    scene.wish()
    is_asked = threading.Event()

    def look(request: Request) -> None:
        is_look = request.verb == "get" and request.resource.plural == "statefulsets"
        if is_blind and is_look and is_asked.is_set() and scene.sets.find("db") is not None:
            raise Unreachable("no look while the set is there", sent=False)

    def delete(request: Request, response: Response) -> None:
        if request.changes and write_name(request) == "delete" and response.status < 300:
            scene.cluster.delete("statefulset", "db", scene.namespace, "Foreground")
            is_asked.set()

    with stopped_controllers(cluster):
        operator = scene.operator(look, delete).start()
        scene.wait(is_asked.is_set, "the user deletes the set")
    scene.wait(lambda: not scene.backups(), "the backup is dropped")
    scene.wait(lambda: scene.sets.find("db") is None, "the set has gone")
    operator.stop()

    assert scene.sets.find("db") is None


def test_the_field_of_the_policy_is_given_back_after_a_crash(batch: Batch) -> None:
    """A crash between restoring the policy and giving its field back leaves us no field."""
    (scene,) = batch.scenes(Shape(1, 1, "Delete"), 1)
    scene.wish()
    assert scene.strike(Fault(Point("save"), Position.BEFORE))
    scene.sets.annotate("db", resize_0=None)
    assert scene.strike(Fault(Point("policy"), Position.AFTER))
    operator = scene.operator().start()
    scene.wait(lambda: not scene.sets.status("db").startswith("Growing"), "the wish is withdrawn")
    operator.stop()

    found = scene.sets.get("db")
    owned = [
        each["fieldsV1"]
        for each in found["metadata"]["managedFields"]
        if each["manager"] == "resize-statefulset-operator"
    ]
    assert found["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Delete"
    assert not [each for each in owned if "f:spec" in each]
