"""The oracles can fail: operators with a bug, made by rewriting their requests, are found."""

import dataclasses
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from rso.kube.transport import DRY_RUN, Request
from tests.faults.batch import Batch
from tests.support.faults import Interruption, Point, write_name
from tests.support.scene import CANARY, Scene, Shape

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


MUTANTS = [
    pytest.param(without_effect("label deleting"), "O6", id="no label before the delete"),
    pytest.param(with_body("delete", in_the_background), "O3", id="Pods are not orphaned"),
    pytest.param(with_body("create", with_another_image), "O2", id="another image"),
    pytest.param(with_body("create", without_labels), "O2", id="labels are lost"),
    pytest.param(with_body("grow data-db-0", too_large), "O4", id="a claim grows too far"),
    pytest.param(with_body("status Growing", with_an_annotation), "O2", id="a strange annotation"),
]


@pytest.mark.timeout(300)
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

    assert oracle in {each.split(":")[0] for each in batch.judge(scene, None)}


def has_successor(scene: Scene) -> bool:
    """Return whether the set is another one and all of it is ready."""
    assert scene.initial is not None
    uid = scene.initial.statefulset["metadata"]["uid"]
    return bool(uid != scene.sets.get("db")["metadata"]["uid"]) and scene.sets.is_ready("db")


@pytest.mark.timeout(300)
def test_a_delete_without_preconditions_is_found(batch: Batch) -> None:
    """One that deletes by name only deletes the successor of another one's making (O5)."""
    (scene,) = batch.scenes(SHAPE, 1)
    scene.wish()
    pause = Interruption(Point("delete"), scene.finish)
    operator = scene.operator(before=pause.before)
    operator.wire.rewrite = with_body("delete", without_preconditions)
    operator.start()
    scene.wait(lambda: pause.fired.is_set() and scene.is_at_rest(), "everything is at rest")
    operator.stop()

    assert "O5" in {each.split(":")[0] for each in batch.judge(scene, None)}


@pytest.mark.timeout(300)
def test_a_secret_in_a_log_line_is_found(batch: Batch) -> None:
    """A log line with a part of the set's content is found (O11)."""
    (scene,) = batch.scenes(SHAPE, 1)
    scene.wish()
    scene.finish()
    logging.getLogger("rso.app.notice").info("a set with %s", CANARY)

    assert "O11" in {each.split(":")[0] for each in batch.judge(scene, None)}
