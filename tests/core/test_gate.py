"""Everything that is asked before a set is deleted: proof, policy, backup, turn."""

from typing import Any

import pytest
from msgspec.structs import replace

from rso.core.actions import (
    AskProof,
    Blocked,
    RenewGeneration,
    SaveBackup,
    SetRetain,
    Unreference,
)
from rso.core.gate import MAX_BACKUP_BYTES
from rso.core.names import Reason
from rso.core.plan import plan
from rso.core.successor import probe
from rso.core.world import Proof, Refusal
from tests.core.proofs import GROWING, RETENTION, SIZES, proof, proven, ready
from tests.factories import (
    UID,
    Json,
    claim,
    merged,
    outcome,
    owner_reference,
    whole_set,
    with_answers,
)


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
