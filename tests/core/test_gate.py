"""Everything that is asked, and waited for, before a set is deleted."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from rso.core.actions import (
    AskBackup,
    AskPods,
    AskProof,
    Blocked,
    Done,
    DropBackup,
    Replace,
    SaveBackup,
    SetRetain,
    Unreference,
    Wait,
)
from rso.core.gate import MAX_BACKUP_BYTES, quiet_fault, stale_references
from rso.core.names import Note, Phase, Reason
from rso.core.plan import plan
from rso.core.successor import probe
from rso.core.world import Live, Proof, Refusal, Unreadable, World
from tests.factories import (
    HELM,
    NOW,
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
    pod,
    pods,
    saved,
    statefulset,
    told,
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
            "Pod db-1 was created just now",
            id="younger",
        ),
        pytest.param(
            [pod("db-0"), pod("db-1", metadata={"creationTimestamp": None})],
            "Pod db-1 was created just now",
            id="of unknown age",
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


def test_foreign_references_stay() -> None:
    """What names another kind or another set is none of ours."""
    owners = [owner_reference("x", name="other"), owner_reference("y", kind="Deployment")]

    assert stale_references((claim(metadata={"ownerReferences": owners}),), "db") is None


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


def test_claims_only_means_no_gate() -> None:
    """A set that may not be recreated is Done when its claims are, whatever forbids a recreate."""
    live = whole_set({**WISH, "recreate": "false"}, metadata={"finalizers": ["x/y"]})
    start = replace(grown(world(live)), has_key=False)

    assert Done() == outcome(start)


def test_no_gate_opens_while_a_claim_is_small() -> None:
    """A claim that has still to grow comes before everything here (O10)."""
    live = whole_set(GROWING)
    start = with_backup(live, saved(live))
    small = replace(start, claims=claims_of(live))

    assert not isinstance(plan(small), Replace)
