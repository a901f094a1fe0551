"""No verified backup, no delete; and one set at a time."""

import pytest
from msgspec.structs import replace

from rso.core.actions import (
    AskBackup,
    Blocked,
    DropBackup,
    Replace,
    SaveBackup,
    Wait,
)
from rso.core.names import Note, Phase, Reason
from rso.core.plan import plan
from rso.core.world import Unreadable
from tests.core.proofs import GROWING, SIZES, proven, with_backup
from tests.factories import (
    HELM,
    UID,
    Json,
    claims_of,
    outcome,
    own,
    owner_reference,
    saved,
    whole_set,
)


def test_a_proven_set_is_saved() -> None:
    """The backup holds what was wanted when it was made."""
    assert SaveBackup(UID, SIZES) == plan(proven())


def test_a_backup_is_opened_before_it_counts() -> None:
    """A backup that nobody has opened is no backup (O6)."""
    assert AskBackup("b-1") == plan(with_backup(whole_set(GROWING)))


@pytest.mark.parametrize("phase", [None, Phase.DELETING])
def test_a_verified_backup_lets_the_set_be_replaced(phase: Phase | None) -> None:
    """Also one that bears our label already, left by a resizer that died before its delete."""
    live = whole_set(GROWING)

    assert Replace("b-1", UID) == plan(with_backup(live, saved(live), phase=phase))


STATUS_ENTRY: Json = {"manager": "m", "operation": "Update", "subresource": "status"}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"resourceVersion": "7", "generation": 0}, id="versions"),
        pytest.param({"managedFields": [STATUS_ENTRY, HELM]}, id="managers of status"),
        pytest.param({"managedFields": [{**HELM, "time": "2020-01-01T00:00:00Z"}]}, id="times"),
    ],
)
def test_a_backup_survives_what_is_no_change(changes: Json) -> None:
    """Status, versions and times of managers are not part of what comes back."""
    live = whole_set(GROWING)
    content = saved(whole_set(GROWING, metadata=changes))

    assert Replace("b-1", UID) == plan(with_backup(live, content))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"metadata": {"labels": {"team": "other"}}}, id="a label"),
        pytest.param({"metadata": {"annotations": {"note": None}}}, id="an annotation"),
        pytest.param({"metadata": {"annotations": own({"status": "x"})}}, id="our status"),
        pytest.param({"metadata": {"finalizers": ["orphan"]}}, id="a finalizer"),
        pytest.param({"metadata": {"ownerReferences": [owner_reference("u")]}}, id="an owner"),
        pytest.param({"metadata": {"managedFields": []}}, id="a manager"),
        pytest.param({"spec": {"replicas": 2}}, id="the replicas"),
        pytest.param({"spec": {"template": {"spec": {"hostNetwork": True}}}}, id="the template"),
        pytest.param({"spec": {"added": 1}}, id="a field that we do not know"),
    ],
)
def test_a_backup_of_an_older_set_is_saved_again(changes: Json) -> None:
    """Whatever metadata or spec differs: the backup is dropped, and no delete follows (O6)."""
    content = saved(whole_set(GROWING, **changes))
    found = plan(with_backup(whole_set(GROWING), content))

    assert DropBackup("b-1", Note.BACKUP_DROPPED, "the set has changed since") == found


def test_a_backup_for_other_sizes_is_saved_again() -> None:
    """The set comes back with the sizes in its backup: they must be those wanted."""
    content = saved(whole_set(GROWING), {"data": "15Gi"})

    assert isinstance(plan(with_backup(whole_set(GROWING), content)), DropBackup)


def test_a_backup_that_cannot_be_opened_blocks_and_stays() -> None:
    """Unreadable: stop, tell, keep."""
    found = outcome(with_backup(whole_set(GROWING), Unreadable("wrong key")))

    assert Blocked(Reason.BACKUP_UNREADABLE, "wrong key") == found


def test_one_set_is_absent_at_a_time() -> None:
    """While another set is away because of us, this one waits in place, its backup ready."""
    live = whole_set(GROWING)
    start = replace(with_backup(live, saved(live)), has_turn=False)

    assert Wait("another set is being recreated", is_turn=True) == plan(start)


def test_no_gate_opens_while_a_claim_is_small() -> None:
    """A claim that has still to grow comes before everything here (O10)."""
    live = whole_set(GROWING)
    start = with_backup(live, saved(live))
    small = replace(start, claims=claims_of(live))

    assert not isinstance(plan(small), Replace)
