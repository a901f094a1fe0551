"""After the create: managers, references and Pods, before the backup may go."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from rso.core.actions import (
    AskBackup,
    AskLive,
    AskPods,
    DropBackup,
    RestoreManagers,
    Unreference,
    Wait,
)
from rso.core.names import Note, Phase
from rso.core.plan import plan
from rso.core.recovery import pods_changed
from rso.core.world import Answers, Live, Pods, SavedPod, World
from tests.factories import (
    CONTROLLER,
    HELM,
    NOW,
    UID,
    Json,
    backup,
    claim,
    claims_of,
    merged,
    owner_reference,
    pod,
    pods,
    saved,
    whole_set,
    with_answers,
    world,
)

NEW = "0f5a-2"
LIVE = whole_set({"resize-0": "20Gi"})
OURS: Json = {
    "manager": "resize-statefulset-operator",
    "operation": "Update",
    "apiVersion": "apps/v1",
    "fieldsV1": {"f:spec": {"f:volumeClaimTemplates": {}}},
}
DELETING = backup(phase=Phase.DELETING)
FINISHING = backup(phase=Phase.SUPERSEDED, successor=NEW, superseded_at=NOW)


STALE = (
    "the garbage collector may delete Pods that still refer to the set that was replaced, and the "
    "set makes them again: db-0"
)


def new_set(*managers: Json, **changes: Json) -> Json:
    """Return the set that was created from the backup."""
    metadata = {"uid": NEW, "creationTimestamp": NOW.isoformat()}
    live = whole_set({"resize-0": "20Gi"}, {"data": "20Gi"}, metadata=metadata)
    live["metadata"]["managedFields"] = list(managers)
    return merged(live, changes)


def opened(start: World) -> World:
    """Return the world in which the backup has been opened."""
    return with_answers(start, backups={"uid-b-1": saved(LIVE)})


def present(live: Json, *backups: Any) -> World:  # noqa: ANN401  backups
    start = world(live, backups=backups, claims=claims_of(live))
    return opened(with_answers(start, live=Live(live)))


def finishing(live: Json | None = None, **fields: Any) -> World:  # noqa: ANN401  any field
    """Return the world with our new set, its managers restored."""
    start = present(live or new_set(HELM, CONTROLLER), FINISHING)
    return replace(start, **fields)


def test_the_managers_come_back_first() -> None:
    """Until every saved manager is there, the next apply would conflict."""
    found = plan(finishing(new_set(OURS)))

    assert RestoreManagers("b-1", NEW) == found


def test_a_finish_asks_for_what_it_lacks() -> None:
    """Backup, whole set and Pods are read before the backup may go."""
    start = finishing()
    unread = replace(start, answers=Answers())

    assert AskBackup("b-1") == plan(unread)
    assert AskLive() == plan(opened(unread))
    assert AskPods() == plan(start)


def test_a_reference_to_the_old_set_is_removed() -> None:
    """The garbage collector never finds a claim that names the set that is gone."""
    owners = [owner_reference(UID), owner_reference(NEW)]
    named = claim("data-db-1", metadata={"ownerReferences": owners})
    start = finishing(claims=(claim(), named))

    assert Unreference("data-db-1", "50", (UID,)) == plan(start)


@pytest.mark.parametrize(
    ("listed", "alert"),
    [
        pytest.param(pod(owner=UID), STALE, id="it names the old set"),
        pytest.param(
            pod(metadata={"ownerReferences": [owner_reference(NEW), owner_reference(UID)]}),
            STALE,
            id="it names both sets",
        ),
        pytest.param(pod(metadata={"ownerReferences": []}), "", id="it names none"),
    ],
)
def test_a_backup_stays_until_every_pod_is_adopted(listed: Any, alert: str) -> None:  # noqa: ANN401  a Pod
    """The new set owns each Pod that exists before the backup is dropped; the old one owns none.

    A Pod that names the old set is never left to the garbage collector silently.
    """
    others = [pod(f"db-{each}", NEW) for each in (1, 2)]
    found = plan(with_answers(finishing(), pods=pods(listed, *others)))

    assert Wait("the new set has not adopted every Pod yet", seconds=0.2, alert=alert) == found


@pytest.mark.parametrize(
    ("age_seconds", "expected"),
    [
        pytest.param(-3600, 0.2, id="a clock that goes wrong shortens nothing below the first"),
        pytest.param(1, 0.2, id="at first it is looked at often"),
        pytest.param(60, 6.0, id="a tenth of the set's age"),
        pytest.param(86_400, 30.0, id="at most half a minute"),
    ],
)
def test_a_controller_that_does_not_adopt_is_looked_at_ever_more_seldom(
    age_seconds: int, expected: float
) -> None:
    """While the controller manager is away, hours of waiting cost few requests."""
    created = NOW - timedelta(seconds=age_seconds)
    live = new_set(HELM, CONTROLLER, metadata={"creationTimestamp": created.isoformat()})
    others = [pod(f"db-{each}", NEW) for each in (1, 2)]
    unadopted = pod(metadata={"ownerReferences": []})

    found = plan(with_answers(finishing(live), pods=pods(unadopted, *others)))

    assert Wait("the new set has not adopted every Pod yet", seconds=expected) == found


@pytest.mark.parametrize(
    "listed",
    [
        pytest.param([pod("db-0", NEW), pod("db-1", NEW), pod("db-2", NEW)], id="all"),
        pytest.param([pod("db-0", NEW)], id="those that exist"),
        pytest.param([pod("db-0", NEW), pod("other-0", "x")], id="others do not matter"),
    ],
)
def test_a_finished_recreate_drops_its_backup(listed: list[Any]) -> None:
    """Same Pods, all adopted: the backup has done its work."""
    found = plan(with_answers(finishing(), pods=pods(*listed)))

    assert DropBackup("b-1", Note.RECREATED, "the same Pods, the new sizes") == found


def test_a_finished_recreate_does_not_wait_for_other_work() -> None:
    """A paused or wrongly annotated set is finished all the same."""
    live = new_set(OURS, metadata={"annotations": {"resize-statefulset-operator/paused": "true"}})

    assert RestoreManagers("b-1", NEW) == plan(finishing(live))


def before(uid: str = "uid-db-0", restarts: int = 2, *, is_ready: bool = True) -> SavedPod:
    return SavedPod("db-0", uid, restarts, is_ready)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param(before(), "", id="the same"),
        pytest.param(before(restarts=1, is_ready=False), "", id="one that crashed all along"),
        pytest.param(before(uid="x"), "db-0", id="another uid"),
        pytest.param(before(restarts=1), "db-0", id="a restart of a ready one"),
        pytest.param(SavedPod("db-9", "u", 0, is_ready=False), "db-9", id="one that is gone"),
    ],
)
def test_pods_that_changed_are_named(known: SavedPod, expected: str) -> None:
    """Another uid, or a restart of a Pod that was ready; it holds nothing up."""
    listed = pods(pod(owner=NEW))
    content = replace(saved(LIVE), pods=(known,))
    start = with_answers(finishing(), pods=listed, backups={"uid-b-1": content})

    changed = f"since the backup these Pods changed: {expected}" if expected else ""
    assert changed == pods_changed(content, listed)
    found = plan(start)
    assert isinstance(found, DropBackup)
    assert (Note.PODS_CHANGED if expected else Note.RECREATED) == found.note


def test_pods_of_an_older_listing_do_not_finish() -> None:
    """A list from before the set's last change proves no adoption."""
    listed: Pods = pods(pod(owner=NEW), resource_version="99")

    assert AskPods() == plan(with_answers(finishing(), pods=listed))
