"""The oracles can fail: operators with a bug, made by rewriting their requests, are found."""

import dataclasses
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from rso.kube.transport import DRY_RUN, Request, Resource, Response
from tests.faults.batch import Batch
from tests.support.faults import Interruption, Point, write_name
from tests.support.oracles import o1_no_set_lost, o9_quiet_at_the_end, o10_refusals_stop
from tests.support.scene import CANARY, Scene, Shape
from tests.support.sets import Snapshot
from tests.support.wire import Sent, deletes_set

Json = dict[str, Any]
SHAPE = Shape(1, 1)


def without_effect(write: str) -> Callable[[Request], Request]:
    """Return a mutant whose write of this name is answered, but not done."""

    def rewrite(request: Request) -> Request:
        if not request.changes or write_name(request) != write:
            return request
        return dataclasses.replace(request, query=(*request.query, DRY_RUN))

    return rewrite


def with_body(write: str, change: Callable[[Json], None]) -> Callable[[Request], Request]:
    """Return a mutant whose write of this name has another body."""

    def rewrite(request: Request) -> Request:
        if not request.changes or write_name(request) != write:
            return request
        body = json.loads(request.body or b"{}")
        change(body)
        return dataclasses.replace(request, body=json.dumps(body).encode())

    return rewrite


def in_the_background(body: Json) -> None:
    body["propagationPolicy"] = "Background"


def without_preconditions(body: Json) -> None:
    del body["preconditions"]


def with_another_image(body: Json) -> None:
    body["spec"]["template"]["spec"]["containers"][0]["image"] = "localhost/other:1"


def without_labels(body: Json) -> None:
    del body["metadata"]["labels"]


def too_large(body: Json) -> None:
    body["spec"]["resources"]["requests"]["storage"] = "3Gi"


def with_an_annotation(body: Json) -> None:
    body["metadata"]["annotations"]["example.org/note"] = "lost"


def with_a_label(body: Json) -> None:
    body["metadata"]["labels"] = {"team": "red"}


def with_a_stranger(body: Json) -> None:
    entry = {"manager": "stranger", "operation": "Update", "apiVersion": "apps/v1"}
    fields: Json = {"f:metadata": {"f:labels": {"f:team": {}}}}
    body["metadata"]["managedFields"].append(
        {**entry, "fieldsType": "FieldsV1", "fieldsV1": fields}
    )


def without_a_note(body: Json) -> None:
    del body["metadata"]["annotations"]


def to_a_pod(request: Request) -> Request:
    """Return a mutant's request: it writes to the Pod instead of telling people."""
    if not request.changes or write_name(request) != "create events":
        return request
    return Request(
        "patch",
        Resource("", "v1", "pods"),
        request.namespace,
        "db-0",
        body=b'{"metadata": {}}',
        content_type="application/merge-patch+json",
    )


MUTANTS = [
    pytest.param(without_effect("label deleting"), "O6", id="no label before the delete"),
    pytest.param(with_body("delete", in_the_background), "O3", id="Pods are not orphaned"),
    pytest.param(with_body("create", with_another_image), "O2", id="another image"),
    pytest.param(with_body("create", without_labels), "O2", id="labels are lost"),
    pytest.param(with_body("grow data-db-0", too_large), "O4", id="a claim grows too far"),
    pytest.param(with_body("status Growing", with_an_annotation), "O2", id="a strange annotation"),
    pytest.param(with_body("grow data-db-0", with_a_label), "O8", id="a label on a claim"),
    pytest.param(with_body("status Growing", with_a_label), "O8", id="a label on the set"),
    pytest.param(to_a_pod, "O8", id="a write to a Pod"),
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("mutant", "oracle"), MUTANTS)
def test_an_oracle_finds_a_bug(
    batch: Batch, mutant: Callable[[Request], Request], oracle: str
) -> None:
    """An operator that does one write wrong is found by the oracle that watches over it."""
    (scene,) = batch.scenes(SHAPE, 1)
    scene.wish()
    operator = scene.operator()
    operator.wire.rewrite = mutant
    operator.start()
    scene.wait(lambda: scene.is_done() and has_successor(scene), "the set is replaced")
    operator.kill()
    scene.finish()

    assert oracle in found(batch.judge(scene, None))


def has_successor(scene: Scene) -> bool:
    """Return whether the set is another one and all of it is ready."""
    assert scene.initial is not None
    uid = scene.initial.statefulset["metadata"]["uid"]
    return bool(uid != scene.sets.get("db")["metadata"]["uid"]) and scene.sets.is_ready("db")


@pytest.mark.timeout(600)
def test_a_delete_without_preconditions_is_found(batch: Batch) -> None:
    """One that deletes by name only deletes the successor of another one's making (O5)."""
    (scene,) = batch.scenes(SHAPE, 1)
    scene.wish()
    pause = Interruption(Point("delete"), scene.finish)
    operator = scene.operator(before=pause.before)
    operator.wire.rewrite = with_body("delete", without_preconditions)
    operator.start()
    sent = operator.wire.sent
    scene.wait(lambda: pause.is_past(sent) and scene.is_at_rest(), "everything is at rest")
    operator.stop()

    assert "O5" in found(batch.judge(scene, None))


@pytest.mark.timeout(600)
def test_a_secret_in_a_log_line_is_found(batch: Batch) -> None:
    """A log line with a part of the set's content is found (O11)."""
    (scene,) = batch.scenes(SHAPE, 1)
    scene.wish()
    scene.finish()
    logging.getLogger("rso.app.notice").info("a set with %s", CANARY)

    assert "O11" in found(batch.judge(scene, None))


@pytest.mark.timeout(600)
def test_a_policy_that_is_changed_without_a_note_is_found(batch: Batch) -> None:
    """One that does not note which retention policy it must restore is found (O8)."""
    (scene,) = batch.scenes(Shape(1, 1, "Delete"), 1)
    scene.wish()
    operator = scene.operator()
    operator.wire.rewrite = with_body("retain", without_a_note)
    operator.start()
    scene.wait(lambda: scene.is_done() and has_successor(scene), "the set is replaced")
    operator.kill()

    assert "O8" in found(batch.judge(scene, None))


@pytest.mark.timeout(600)
def test_a_backup_dropped_too_early_is_found(batch: Batch) -> None:
    """One that drops the backup while the set is away is found, although all ends well (O7)."""
    (scene,) = batch.scenes(SHAPE, 1)
    scene.wish()

    def drop(request: Request, _: Response) -> None:
        if deletes_set(request):
            (backup,) = scene.backups()
            scene.cluster.delete("configmap", backup["metadata"]["name"], scene.operator_namespace)

    operator = scene.operator(after=drop).start()
    scene.wait(scene.is_at_rest, "everything is at rest")
    operator.stop()

    assert "O7" in found(batch.judge(scene, None))


@pytest.mark.timeout(600)
def test_a_manager_that_nobody_knows_is_found(batch: Batch) -> None:
    """One that gives a field to a stranger ends otherwise than a sound one (O12)."""
    sound, scene = batch.scenes(SHAPE, 2)
    reference = batch.play_without_fault(sound)
    scene.wish()
    operator = scene.operator()
    operator.wire.rewrite = with_body("managers", with_a_stranger)
    operator.start()
    scene.wait(scene.is_at_rest, "everything is at rest")
    operator.kill()

    assert "O12" in found(batch.judge(scene, reference.end))


@pytest.mark.timeout(600)
def test_evidence_of_a_lost_set_of_unrest_and_of_a_delete_after_a_refusal_is_found(
    batch: Batch,
) -> None:
    """A set that is gone at the end, writes in a late look, a refusal before the DELETE: all found.

    No operator does this; the evidence of a sound run is changed as if one had (O1, O9, O10).
    """
    (scene,) = batch.scenes(SHAPE, 1)
    scene.wish()
    scene.finish()
    end = Snapshot.of(scene.sets, "db")
    sound = batch.evidence(scene, end, [], None)
    refused = dataclasses.replace(sound, runs=[[refuse(each) for each in sound.runs[0]]])
    restless = dataclasses.replace(sound, resync=sound.runs[0])
    before = [list(judge(sound)) for judge in (o1_no_set_lost, o9_quiet_at_the_end)]

    scene.cluster.delete("statefulset", "db", scene.namespace, "Orphan")
    scene.wait(lambda: scene.sets.find("db") is None, "the set has gone")
    lost = batch.evidence(scene, end, [], None)

    assert [[], []] == before
    assert ["the sets that live are []"] == list(o1_no_set_lost(lost))
    assert any("caused patch" in each for each in o9_quiet_at_the_end(restless))
    assert list(o10_refusals_stop(sound)) == []
    assert ["a refusal was followed by a DELETE of the set"] == list(o10_refusals_stop(refused))


def refuse(sent: Sent) -> Sent:
    """Return a request to grow a claim as if the server had refused it."""
    is_growth = sent.request.changes and write_name(sent.request).startswith("grow")
    return dataclasses.replace(sent, status=403) if is_growth else sent


def found(violations: tuple[str, ...]) -> set[str]:
    """Return the numbers of the oracles that complain."""
    return {each.split(":")[0] for each in violations}
