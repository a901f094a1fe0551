"""When a set is quiet: nobody is at work on it, and no claim would go with it."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from rso.core.actions import (
    AskPods,
    DropBackup,
    Wait,
)
from rso.core.gate import quiet_fault, stale_references
from rso.core.names import Phase, Reason
from rso.core.plan import plan
from rso.core.world import World
from tests.factories import (
    NOW,
    UID,
    Json,
    backup,
    claim,
    grown,
    outcome,
    owner_reference,
    pod,
    pods,
    statefulset,
    told,
    whole_set,
    with_answers,
    world,
)

WISH = {"resize-0": "20Gi"}
GROWING = {**WISH, "status": "Growing: data=20Gi"}


def ready(live: Json | None = None, **fields: Any) -> World:  # noqa: ANN401  any field of World
    """Return a world whose claims have grown and whose Pods are quiet."""
    start = grown(world(whole_set(GROWING) if live is None else live))
    return replace(with_answers(start, pods=pods()), **fields)


@pytest.mark.parametrize(("strategy", "is_waiting"), [("RollingUpdate", True), ("OnDelete", False)])
def test_a_rolling_update_ends_first(strategy: str, is_waiting: bool) -> None:  # noqa: FBT001  a table
    """Recreated half way, a roll-out would lose its boundary; OnDelete has none."""
    live = whole_set(
        GROWING,
        spec={"updateStrategy": {"type": strategy}},
        status={"updateRevision": "db-2"},
    )
    found = outcome(ready(live))

    assert is_waiting == (isinstance(found, Wait) and found.reason is Reason.ROLLING_UPDATE)


def test_the_controller_must_have_seen_the_last_change() -> None:
    """What it has not observed it may still act on."""
    found = outcome(ready(whole_set(GROWING, metadata={"generation": 2})))

    sentence = "the StatefulSet controller has not seen the last change"
    assert Wait(sentence, Reason.NOT_QUIET) == found


DELETED: Json = {"metadata": {"deletionTimestamp": "2026-11-01T12:00:00Z"}}


def adopted(seconds_ago: float, uid: str = UID) -> Json:
    """Return the managers of a Pod: who made it an hour ago, and who adopted it."""
    fields: Json = {"f:metadata": {"f:ownerReferences": {".": {}, f'k:{{"uid":"{uid}"}}': {}}}}
    adoption = {"time": (NOW - timedelta(seconds=seconds_ago)).isoformat(), "fieldsV1": fields}
    other = {"time": NOW.isoformat(), "fieldsV1": {"f:status": {}}, "subresource": "status"}
    return {"managedFields": [adoption, other, {"fieldsV1": fields}]}


def made(seconds_ago: float) -> Json:
    return {"creationTimestamp": (NOW - timedelta(seconds=seconds_ago)).isoformat()}


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        pytest.param([pod("db-0"), pod("db-1")], "", id="all there"),
        pytest.param([pod("db-0")], "Pod db-1 is missing", id="one is missing"),
        pytest.param([], "Pod db-0 is missing", id="all are missing"),
        pytest.param([pod("db-0", **DELETED), pod("db-1")], "Pod db-0 is going", id="terminating"),
        pytest.param(
            [pod("db-0"), pod("db-1"), pod("db-2")], "Pod db-2 is going", id="scaled down"
        ),
        pytest.param(
            [pod("db-0"), pod("db-1", "old")], "Pod db-1 belongs to another owner", id="old uid"
        ),
        pytest.param(
            [pod("db-0"), pod("db-1", metadata={"ownerReferences": []})],
            "Pod db-1 belongs to another owner",
            id="an orphan",
        ),
        pytest.param(
            [
                pod("db-0"),
                pod("db-1", metadata={"ownerReferences": [{"uid": UID, "controller": False}]}),
            ],
            "Pod db-1 belongs to another owner",
            id="owned, not controlled",
        ),
        pytest.param([pod("db-0"), pod("db-1", metadata=made(5))], "", id="five seconds old"),
        pytest.param(
            [pod("db-0"), pod("db-1", metadata=made(4.9))],
            "Pod db-1 was created or adopted just now",
            id="younger",
        ),
        pytest.param(
            [pod("db-0"), pod("db-1", metadata={"creationTimestamp": None})],
            "Pod db-1 was created or adopted just now",
            id="of unknown age",
        ),
        pytest.param(
            [pod("db-0"), pod("db-1", metadata=adopted(4.9))],
            "Pod db-1 was created or adopted just now",
            id="adopted just now",
        ),
        pytest.param(
            [pod("db-0"), pod("db-1", metadata=adopted(5))], "", id="adopted five seconds ago"
        ),
        pytest.param(
            [pod("db-0"), pod("db-1", metadata=adopted(1, "another"))],
            "",
            id="another owner was written just now",
        ),
        pytest.param(
            [pod("db-0"), pod("db-1"), pod("db-x-1", **DELETED)], "", id="others do not matter"
        ),
        pytest.param(
            [pod("db-0", status={"phase": "Failed", "conditions": None}), pod("db-1")],
            "",
            id="a crash loop is quiet",
        ),
    ],
)
def test_quiet_is_not_ready(listed: list[Any], expected: str) -> None:
    """Each Pod is there, the set's own, not going, and not made just now."""
    answer = replace(pods(), pods=tuple(listed))

    assert expected == quiet_fault(statefulset(spec={"replicas": 2}), answer)


def test_a_set_that_is_not_quiet_is_looked_at_again_soon() -> None:
    """The wait names the Pod and ends by itself."""
    start = with_answers(ready(), pods=pods(pod("db-0"), pod("db-1")))
    start = told(
        start, "Waiting: NotQuiet: the claims have grown; the template follows: Pod db-2 is missing"
    )

    sentence = "the claims have grown; the template follows: Pod db-2 is missing"
    assert Wait(sentence, Reason.NOT_QUIET, 1.0) == plan(start)


@pytest.mark.parametrize(("phase", "is_kept"), [(None, True), (Phase.DELETING, False)])
def test_who_waits_for_quiet_keeps_no_label_of_a_delete(
    phase: Phase | None,
    is_kept: bool,  # noqa: FBT001  a table
) -> None:
    """After a crash between label and DELETE the set must not come back, nor hold the turn."""
    start = with_answers(ready(backups=(backup(phase=phase),)), pods=pods(pod("db-0")))
    found = outcome(start)

    assert is_kept == isinstance(found, Wait)
    assert is_kept != isinstance(found, DropBackup)


@pytest.mark.parametrize(
    "old",
    [
        pytest.param(pods(answered_at=NOW - timedelta(seconds=0.6)), id="too long ago"),
        pytest.param(pods(resource_version="99"), id="before the set changed"),
        pytest.param(None, id="never"),
    ],
)
def test_pods_are_listed_just_before(old: Any) -> None:  # noqa: ANN401  Pods or nothing
    """Quiet is judged by a list that is as new as the set."""
    assert AskPods() == plan(with_answers(ready(), pods=old))


def test_foreign_references_stay() -> None:
    """What names another kind or another set is none of ours."""
    owners = [owner_reference("x", name="other"), owner_reference("y", kind="Deployment")]

    assert stale_references((claim(metadata={"ownerReferences": owners}),), "db") is None
