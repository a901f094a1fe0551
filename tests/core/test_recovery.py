"""What backups demand: each row of the table in section 2 of safety.md."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from rso.core.actions import (
    AskBackup,
    AskLive,
    AskWitness,
    Blocked,
    Decision,
    Done,
    DropBackup,
    Recreate,
    SetStatus,
    Supersede,
    Wait,
)
from rso.core.names import Note, Phase, Reason
from rso.core.plan import plan
from rso.core.recovery import expiry, recover
from rso.core.world import Answers, Live, Unreadable, World
from tests.factories import (
    CONTROLLER,
    HELM,
    NOW,
    Json,
    backup,
    claims_of,
    decided,
    merged,
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
TAKEN = backup(phase=Phase.SUPERSEDED, superseded_at=NOW - timedelta(days=7))


def new_set(*managers: Json, **changes: Json) -> Json:
    """Return the set that was created from the backup."""
    live = whole_set({"resize-0": "20Gi"}, {"data": "20Gi"}, metadata={"uid": NEW})
    live["metadata"]["managedFields"] = list(managers)
    return merged(live, changes)


def opened(start: World) -> World:
    """Return the world in which the backup has been opened, and no revision contradicts it."""
    return with_answers(start, backups={"uid-b-1": saved(LIVE)}, witnessed={"uid-b-1": True})


def absent(*backups: Any) -> World:  # noqa: ANN401  backups
    return world(LIVE, statefulset=None, backups=backups, answers=Answers())


def present(live: Json, *backups: Any) -> World:  # noqa: ANN401  backups
    start = world(live, backups=backups, claims=claims_of(live))
    return opened(with_answers(start, live=Live(live)))


def test_an_absent_set_is_created_from_its_verified_backup() -> None:
    """The backup is opened, the newest revision is asked, then the set is created."""
    start = absent(DELETING)

    assert AskBackup("b-1") == plan(start)
    assert AskWitness("b-1") == plan(with_answers(opened(start), witnessed={}))
    assert Recreate("b-1") == plan(opened(start))


def test_a_backup_that_the_newest_revision_contradicts_creates_nothing() -> None:
    """An older backup of the set that was put back is kept and told, for a person to look at."""
    found = plan(with_answers(opened(absent(DELETING)), witnessed={"uid-b-1": False}))

    assert isinstance(found, Blocked)
    assert Reason.BACKUP_UNREADABLE is found.reason
    assert "rso backup show" in found.sentence


def test_nothing_else_matters_to_an_absent_set() -> None:
    """No key, no turn, no claims: the set comes back all the same."""
    start = replace(opened(absent(DELETING)), has_turn=False, has_key=False, claims=())

    assert Recreate("b-1") == plan(start)


def test_a_set_that_its_user_deleted_stays_deleted() -> None:
    """A backup without our label creates nothing: it is dropped."""
    expected = DropBackup("b-1", Note.BACKUP_DROPPED, "the set was deleted by its user")

    assert expected == plan(opened(absent(backup())))
    going = whole_set(metadata={"deletionTimestamp": "2026-11-01T12:00:00Z"})
    assert expected == plan(world(going, backups=(backup(),)))


def test_a_set_in_foreground_deletion_was_deleted_by_its_user() -> None:
    """We orphan; a set whose Pods go first is going for good, whatever our label says."""
    metadata: Json = {
        "deletionTimestamp": "2026-11-01T12:00:00Z",
        "finalizers": ["foregroundDeletion"],
    }
    found = plan(world(whole_set(metadata=metadata), backups=(DELETING,)))

    assert DropBackup("b-1", Note.BACKUP_DROPPED, "the set was deleted by its user") == found


def test_an_orphaned_set_is_created_once_it_is_gone() -> None:
    """A deletionTimestamp is not enough: the controller may still adopt revisions."""
    metadata: Json = {"deletionTimestamp": "2026-11-01T12:00:00Z", "finalizers": ["orphan"]}
    found = plan(world(whole_set(metadata=metadata), backups=(DELETING,)))

    assert Wait("the set is being orphaned; it is created again once it is gone") == found


def test_a_living_set_goes_on_at_its_gate() -> None:
    """A label before a delete that never came demands nothing."""
    assert recover(present(LIVE, DELETING)) is None
    assert recover(present(LIVE, backup())) is None


def test_a_namespace_that_goes_takes_its_sets_along() -> None:
    """Nothing can be created there: the backup is dropped, and it is said why."""
    start = with_answers(absent(DELETING), is_namespace_gone=True)

    expected = DropBackup("b-1", Note.NAMESPACE_GONE, "the namespace is being deleted")
    assert expected == plan(start)


def test_another_uid_is_looked_at_whole() -> None:
    """Whose set it is follows from the backup and the whole set, not from caches."""
    start = world(new_set(OURS), backups=(DELETING,), answers=Answers())

    assert AskBackup("b-1") == plan(start)
    assert AskLive() == plan(opened(start))


@pytest.mark.parametrize(
    ("live", "successor"),
    [
        pytest.param(new_set(OURS), NEW, id="our manager, the same but for sizes"),
        pytest.param(new_set(OURS, CONTROLLER), NEW, id="and the controller's status"),
        pytest.param(new_set(OURS, spec={"replicas": 9}), NEW, id="scaled since"),
        pytest.param(new_set(HELM), "", id="made by somebody else"),
        pytest.param(new_set(), "", id="made by nobody knows whom"),
        pytest.param(new_set(OURS, spec={"serviceName": "x"}), "", id="another spec"),
        pytest.param(
            new_set(OURS, spec={"template": {"spec": {"hostNetwork": True}}}),
            "",
            id="another Pod template",
        ),
        pytest.param(
            new_set({**OURS, "fieldsV1": {"f:metadata": {}}}), "", id="only annotated by us"
        ),
    ],
)
@pytest.mark.parametrize("phase", [Phase.DELETING, None], ids=["labelled", "not labelled"])
def test_a_set_of_another_uid_supersedes_the_backup(
    live: Json, successor: str, phase: Phase | None
) -> None:
    """It is our own successor only if our manager made it and it equals the backup (T6).

    Otherwise its name was taken, unless nothing was deleted on behalf of the backup.
    """
    found = plan(present(live, backup(phase=phase)))

    unlabelled = DropBackup("b-1", Note.BACKUP_DROPPED, "its set is no more")
    assert found == (Supersede("b-1", successor) if successor or phase else unlabelled)


def test_a_successor_that_is_deleted_is_let_go() -> None:
    """Its user deletes the new set: nothing is finished, nothing is created."""
    going = new_set(HELM, metadata={"deletionTimestamp": "2026-11-01T12:00:00Z"})

    assert Done() == plan(present(going, FINISHING))
    assert Done() == plan(absent(FINISHING))


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        pytest.param(timedelta(days=7), None, id="seven days"),
        pytest.param(
            timedelta(days=7, seconds=1),
            DropBackup("b-1", Note.BACKUP_DROPPED, "it was superseded seven days ago"),
            id="a second more",
        ),
    ],
)
@pytest.mark.parametrize("is_there", [True, False], ids=["a set is there", "no set"])
def test_a_superseded_backup_is_kept_for_seven_days(
    age: timedelta,
    expected: Decision | None,
    is_there: bool,  # noqa: FBT001  a table
) -> None:
    """It is listed, never created from, and dropped after a week."""
    old = replace(TAKEN, superseded_at=NOW - age)
    start = present(new_set(HELM), old) if is_there else opened(absent(old))

    assert expected == recover(start)


def test_a_superseded_backup_without_its_time_is_kept_as_long() -> None:
    """Where the time was lost, the week counts from the backup's own creation."""
    fresh = replace(TAKEN, superseded_at=None)
    old = replace(fresh, created_at=NOW - timedelta(days=8))

    assert Done() == plan(absent(fresh))
    assert isinstance(plan(absent(old)), DropBackup)
    assert Done() == plan(absent(replace(fresh, created_at=None)))


def test_the_next_expiry_is_known() -> None:
    """The seconds until the first superseded backup may go; none without one."""
    younger = replace(TAKEN, superseded_at=NOW)
    older = replace(TAKEN, superseded_at=NOW - timedelta(days=6))

    assert 86401.0 == expiry(absent(younger, older))
    assert 1.0 == expiry(absent(replace(TAKEN, superseded_at=NOW - timedelta(days=30))))
    assert expiry(absent(DELETING, backup())) is None


UNREADABLE = Unreadable("backup b-1 cannot be read: wrong key")


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(absent(DELETING), id="no set"),
        pytest.param(world(new_set(OURS), backups=(DELETING,)), id="another uid"),
        pytest.param(world(new_set(OURS), backups=(FINISHING,)), id="our successor"),
    ],
)
def test_an_unreadable_backup_is_kept(start: World) -> None:
    """Who cannot open a backup stops and says so; the backup stays."""
    found = plan(with_answers(start, backups={"uid-b-1": UNREADABLE}))

    if isinstance(found, SetStatus):
        assert f"Blocked: BackupUnreadable: {UNREADABLE.sentence}" == found.text
    else:
        assert Blocked(Reason.BACKUP_UNREADABLE, UNREADABLE.sentence) == found


def test_a_damaged_header_is_told_on_the_set() -> None:
    """A backup whose header cannot be read stops the set that it seems to belong to."""
    damaged = backup(fault="backup b-1 cannot be read: its header is damaged")
    start = world(LIVE, backups=(damaged,))

    found = plan(start)

    assert SetStatus(f"Blocked: BackupUnreadable: {damaged.fault}") == found


@pytest.mark.parametrize("is_first", [True, False])
def test_a_damaged_backup_does_not_keep_a_set_away(is_first: bool) -> None:  # noqa: FBT001  a table
    """A set that another backup can bring back comes back first."""
    damaged = backup(name="b-0", uid="uid-b-0", fault="its header is damaged")
    backups = (damaged, DELETING) if is_first else (DELETING, damaged)

    assert Recreate("b-1") == plan(opened(absent(*backups)))


def test_an_action_comes_before_a_refusal_and_a_refusal_before_a_wait() -> None:
    """Several backups of one name: what can be done is done first."""
    metadata: Json = {"deletionTimestamp": "2026-11-01T12:00:00Z", "finalizers": ["orphan"]}
    damaged = backup(name="b-0", uid="uid-b-0", fault="damaged")
    expired = replace(TAKEN, name="b-2", superseded_at=NOW - timedelta(days=8))
    start = world(whole_set(metadata=metadata), backups=(DELETING, damaged))

    assert Blocked(Reason.BACKUP_UNREADABLE, "damaged") == plan(start)
    later = replace(start, backups=(DELETING, damaged, expired))
    assert isinstance(plan(later), DropBackup)


def test_a_taken_name_is_a_set_like_any_other() -> None:
    """The set that took the name is resized for its own wish, beside the superseded backup."""
    live = whole_set({"resize-0": "20Gi"}, metadata={"uid": NEW})

    assert SetStatus("Growing: data=20Gi") == decided(present(live, TAKEN))
    assert Done() == plan(present(whole_set(metadata={"uid": NEW}), TAKEN))
