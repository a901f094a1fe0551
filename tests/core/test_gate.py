"""Everything that is asked before a set is deleted: proof, policy, backup, turn."""

from typing import Any

import pytest
from msgspec.structs import replace

from rso.core.actions import (
    AskBackup,
    AskProof,
    Blocked,
    DropBackup,
    RenewGeneration,
    Replace,
    SaveBackup,
    SetRetain,
    Unreference,
    Wait,
)
from rso.core.gate import MAX_BACKUP_BYTES
from rso.core.names import Note, Phase, Reason
from rso.core.plan import plan
from rso.core.successor import probe
from rso.core.world import Live, Proof, Refusal, Unreadable, World
from tests.factories import (
    HELM,
    UID,
    Json,
    backup,
    claim,
    claims_of,
    grown,
    merged,
    outcome,
    own,
    owner_reference,
    pods,
    saved,
    whole_set,
    with_answers,
    world,
)

WISH = {"resize-0": "20Gi"}
SIZES = {"data": "20Gi"}
GROWING = {**WISH, "status": "Growing: data=20Gi"}
RETENTION: Json = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}


def ready(live: Json | None = None, **fields: Any) -> World:  # noqa: ANN401  any field of World
    """Return a world whose claims have grown and whose Pods are quiet."""
    start = grown(world(whole_set(GROWING) if live is None else live))
    return replace(with_answers(start, pods=pods()), **fields)


def proof(live: Json | None = None, **fields: Any) -> Proof:  # noqa: ANN401  any field of Proof
    """Return the proof that the recreate is accepted."""
    whole = live or whole_set(GROWING)
    base = Proof(
        live=Live(whole),
        sizes=SIZES,
        witness=True,
        same_name=None,
        probe=probe(whole, SIZES),
        sealed_bytes=MAX_BACKUP_BYTES,
    )
    return replace(base, **fields)


def proven(live: Json | None = None, **fields: Any) -> World:  # noqa: ANN401  any field of Proof
    """Return a world in which only the backup is missing."""
    return with_answers(ready(live), proof=proof(live, **fields))


def with_backup(live: Json, content: Any = None, **fields: Any) -> World:  # noqa: ANN401  a content
    """Return the proven world with a backup of this set."""
    start = replace(proven(live), backups=(backup(**fields),))
    return with_answers(start, backups={"uid-b-1": content}) if content else start


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"finalizers": ["example.com/x"]}, Reason.FOREIGN_FINALIZER, id="foreign"),
        pytest.param({"finalizers": ["orphan", "x/y"]}, Reason.FOREIGN_FINALIZER, id="beside"),
        pytest.param({"finalizers": ["orphan", "foregroundDeletion"]}, None, id="the platform's"),
    ],
)
def test_foreign_finalizers_block(changes: Json, expected: Reason | None) -> None:
    """A finalizer that we do not know would hold the set in deletion."""
    found = outcome(ready(whole_set(GROWING, metadata=changes)))

    assert expected == (found.reason if isinstance(found, Blocked) else None)
    assert expected is None or changes["finalizers"][-1] in str(found)


def test_without_a_key_nothing_is_deleted() -> None:
    """No key, no backup, no delete; the claims have grown all the same."""
    found = outcome(ready(has_key=False))

    assert isinstance(found, Blocked)
    assert Reason.NO_KEY == found.reason


def test_the_recreate_is_proven_first() -> None:
    """The dry create is asked for these sizes, once the set is quiet."""
    assert AskProof(SIZES) == plan(ready())


@pytest.mark.parametrize(
    "old",
    [
        pytest.param(proof(sizes={"data": "15Gi"}), id="for other sizes"),
        pytest.param(
            proof(whole_set(GROWING, metadata={"resourceVersion": "99"})), id="of an older set"
        ),
        pytest.param(proof(whole_set(GROWING, metadata={"uid": "x"})), id="of another set"),
    ],
)
def test_an_old_proof_is_asked_again(old: Proof) -> None:
    """A proof counts for the set as it is, and for the sizes that are wanted."""
    assert AskProof(SIZES) == plan(with_answers(ready(), proof=old))


OTHER_TEMPLATE = merged(
    probe(whole_set(GROWING), SIZES), {"spec": {"template": {"spec": {"hostNetwork": True}}}}
)
DEFAULTED = merged(
    probe(whole_set(GROWING), SIZES),
    {"metadata": {"annotations": {"x": "y"}}, "status": {"replicas": 0}},
)


@pytest.mark.parametrize(
    ("answers", "reason", "words"),
    [
        pytest.param(
            {"same_name": Refusal(403, "Forbidden", "exceeded quota: team")},
            Reason.QUOTA_FULL,
            "raise count/statefulsets.apps by one",
            id="the quota of sets is full",
        ),
        pytest.param(
            {"same_name": Refusal(422, "Invalid", "secret", ("spec.template",))},
            Reason.ADMISSION_REFUSES,
            "because of spec.template",
            id="the create would be refused",
        ),
        pytest.param(
            {"deletion": Refusal(403, "Forbidden", "ValidatingAdmissionPolicy 'keep' secret")},
            Reason.ADMISSION_REFUSES,
            "is refused with 403 by the policy keep",
            id="the delete would be refused",
        ),
        pytest.param(
            {"probe": Refusal(400, "BadRequest", "webhook does not support dry run")},
            Reason.CANNOT_PROVE,
            "does not support dry runs",
            id="a webhook knows no dry run",
        ),
        pytest.param(
            {"probe": OTHER_TEMPLATE},
            Reason.CANNOT_PROVE,
            "another spec",
            id="the Pod template would change",
        ),
        pytest.param(
            {"witness": False}, Reason.CANNOT_PROVE, "ControllerRevision", id="no witness"
        ),
        pytest.param(
            {"sealed_bytes": MAX_BACKUP_BYTES + 1},
            Reason.TOO_LARGE,
            f"{MAX_BACKUP_BYTES + 1} bytes",
            id="the backup would be too large",
        ),
    ],
)
def test_what_is_not_proven_is_never_deleted(answers: Any, reason: Reason, words: str) -> None:  # noqa: ANN401  fields
    """Each answer but the good one blocks, by its reason, and says that the claims have grown."""
    found = outcome(proven(**answers))

    assert isinstance(found, Blocked)
    assert (reason, True) == (found.reason, words in found.sentence)
    assert found.sentence.startswith("the claims have grown, but ")
    assert "secret" not in found.sentence


def test_what_an_api_server_adds_to_metadata_does_not_matter() -> None:
    """The proof is about the spec: nothing else restarts a Pod."""
    assert isinstance(plan(proven(probe=DEFAULTED)), SaveBackup)


def test_claims_are_kept_before_anything_is_saved() -> None:
    """With whenDeleted: Delete the policy changes first."""
    live = whole_set(GROWING, spec=RETENTION)

    assert SetRetain("100") == plan(proven(live))


def test_a_generation_that_status_is_ahead_of_is_renewed_first() -> None:
    """Else the wait for the Retain step would end before its controller has seen it."""
    live = whole_set(GROWING, spec=RETENTION, status={"observedGeneration": 2})

    assert RenewGeneration("100") == plan(proven(live))


def test_references_to_the_set_are_removed_before_anything_is_saved() -> None:
    """A claim that names the set, or an earlier one of its name, would go with it."""
    owners = [
        owner_reference(UID),
        owner_reference("older"),
        owner_reference("x", name="other"),
        owner_reference("y", kind="Deployment"),
    ]
    named = claim("data-db-0", "20Gi", "20Gi", metadata={"ownerReferences": owners})
    start = proven()
    start = replace(start, claims=(named, *start.claims[1:]))

    assert Unreference("data-db-0", "50", (UID, "older")) == plan(start)


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
