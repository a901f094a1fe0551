"""The order of decisions."""

from typing import Any

import pytest
from msgspec.structs import replace

from rso.core.actions import (
    AskGrowth,
    AskPods,
    Blocked,
    Done,
    DropBackup,
    GrowClaim,
    Replace,
    RestorePolicy,
    SetStatus,
    Wait,
    is_older,
)
from rso.core.names import PREFIX, Phase, Reason
from rso.core.plan import plan
from rso.core.quantity import InvalidQuantity
from rso.core.world import Unreadable, World
from tests.factories import (
    NOW,
    UID,
    Json,
    backup,
    claim,
    claims_of,
    decided,
    grown,
    outcome,
    owner_reference,
    saved,
    whole_set,
    with_answers,
    world,
)

WISH = {"resize-0": "20Gi"}
OWNED: Json = {"ownerReferences": [owner_reference("u", "Database", "main")]}


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(world(whole_set()), id="no annotation of ours"),
        pytest.param(
            world(whole_set(), claims=(claim(request="1Gi", capacity="1Gi"),)),
            id="none of ours, claims smaller than the template",
        ),
        pytest.param(world(whole_set({"auto-scaled": "true"})), id="nothing wished"),
        pytest.param(world(whole_set({"resize-0": "10Gi"})), id="a satisfied wish, never begun"),
        pytest.param(world(statefulset=None), id="no set"),
        pytest.param(
            world(whole_set(WISH, metadata={"deletionTimestamp": "2026-11-01T12:00:00Z"})),
            id="a set that its user deletes",
        ),
        pytest.param(
            world(whole_set({**WISH, "status": "Done: data=20Gi"}, {"data": "20Gi"})),
            id="what is Done",
        ),
    ],
)
def test_where_nothing_is_wanted_nothing_is_done(start: World) -> None:
    """Idle means idle: no question, no step."""
    assert Done() == plan(start)


def test_our_annotation_makes_the_template_count() -> None:
    """With one of our annotations, claims smaller than the template grow to it."""
    small = claim(request="1Gi", capacity="1Gi")
    start = world(whole_set({"auto-scaled": "true"}), claims=(small,))

    assert AskGrowth({"data-db-0": "10Gi"}, ("fast",)) == plan(start)


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        pytest.param(WISH, Blocked, id="a wish"),
        pytest.param({**WISH, "recreate": "false"}, GrowClaim, id="claims only"),
        pytest.param({"resize-0": "10Gi"}, Done, id="satisfied"),
        pytest.param({"auto-scaled": "true"}, Done, id="no wish"),
    ],
)
def test_an_owner_matters_only_to_an_open_wish(annotations: dict[str, str], expected: type) -> None:
    """A set with a controller is never recreated, and grows its claims only if told so."""
    found = outcome(world(whole_set(annotations, metadata=OWNED)))

    assert isinstance(found, expected)


def test_an_owner_that_is_no_controller_does_not_matter() -> None:
    """Only the owner that manages the set would undo a recreate."""
    owner = {**owner_reference("u", "Database", "main"), "controller": False}
    found = outcome(world(whole_set(WISH, metadata={"ownerReferences": [owner]})))

    assert isinstance(found, GrowClaim)


def test_an_owned_set_with_grown_claims_is_not_recreated() -> None:
    """Also when only the template is left."""
    found = outcome(grown(world(whole_set(WISH, metadata=OWNED))))

    assert isinstance(found, Blocked)
    assert Reason.OWNED_BY_CONTROLLER == found.reason


RETAINED = {"when-deleted": "Delete", "status": "Growing: data=20Gi"}


def prepared(annotations: dict[str, str], phase: Phase | None = None, **fields: Any) -> World:  # noqa: ANN401  any field of World
    """Return the world of a recreate that is ready to replace, whose wish then is changed."""
    live = whole_set({**RETAINED, **annotations})
    start = replace(grown(world(live)), backups=(backup(phase=phase),), **fields)
    return with_answers(start, backups={"uid-b-1": saved(live)})


LEFT = [
    pytest.param({}, {}, id="the wish is withdrawn"),
    pytest.param({"resize-0": "5Gi"}, {}, id="the wish is lowered"),
    pytest.param({"resize-0": "30Gi"}, {}, id="the wish is raised"),
    pytest.param({**WISH, "paused": "true"}, {}, id="paused"),
    pytest.param({**WISH, "recreate": "false"}, {}, id="no recreate any more"),
    pytest.param({"resize-0": "nonsense"}, {}, id="a fault"),
    pytest.param(WISH, {"has_key": False}, id="blocked"),
]


@pytest.mark.parametrize(("annotations", "fields"), LEFT)
def test_what_does_not_go_on_is_undone(annotations: dict[str, str], fields: Any) -> None:  # noqa: ANN401  any field
    """First the backup goes, then the retention policy comes back, then people are told."""
    start = prepared(annotations, **fields)

    first = decided(start)
    assert isinstance(first, DropBackup)
    assert "the recreate does not go on" == first.sentence
    second = decided(replace(start, backups=()))
    assert RestorePolicy("Delete", "100") == second


@pytest.mark.parametrize(("annotations", "fields"), LEFT)
def test_a_labelled_backup_is_dropped_too(annotations: dict[str, str], fields: Any) -> None:  # noqa: ANN401  any field
    """A backup whose set lives and is not to be replaced goes, also one labelled deleting."""
    assert isinstance(decided(prepared(annotations, Phase.DELETING, **fields)), DropBackup)


def test_waiting_for_quiet_undoes_nothing() -> None:
    """What only waits behind the Retain step keeps its policy and its backup."""
    live = whole_set({**RETAINED, **WISH}, metadata={"generation": 2})
    start = replace(grown(world(live)), backups=(backup(),))

    found = decided(start)

    assert isinstance(found, Wait)
    assert Reason.NOT_QUIET == found.reason


def test_questions_undo_nothing() -> None:
    """An answer that was lost is asked for again, nothing more."""
    assert AskPods() == plan(prepared(WISH))


def test_a_rolling_update_undoes_the_preparation() -> None:
    """A roll-out may take long: the claims' policy is the user's meanwhile."""
    start = prepared(WISH)
    rolling = whole_set({**RETAINED, **WISH}, status={"updateRevision": "db-2"})
    found = decided(replace(start, statefulset=world(rolling).statefulset))

    assert isinstance(found, DropBackup)


def test_a_note_of_ours_that_is_no_policy_is_not_restored() -> None:
    """Nonsense in when-deleted is told, never sent to the API server."""
    found = decided(world(whole_set({"when-deleted": "Perhaps"})))

    assert isinstance(found, SetStatus)
    assert "when-deleted is 'Perhaps'; write Delete or Retain" in found.text


def test_an_unreadable_backup_of_a_living_set_stays() -> None:
    """The set is told, the policy comes back, the backup is kept."""
    live = whole_set({**RETAINED, **WISH})
    start = replace(grown(world(live)), backups=(backup(),))
    start = with_answers(start, backups={"uid-b-1": Unreadable("wrong key")})

    assert RestorePolicy("Delete", "100") == decided(start)
    plain = whole_set({**WISH, "status": "Growing: data=20Gi"})
    start = replace(start, statefulset=world(plain).statefulset)
    assert SetStatus("Blocked: BackupUnreadable: wrong key") == decided(start)


def test_no_status_is_written_beside_a_backup() -> None:
    """From save to delete the set stays as it was saved, whatever its status says."""
    live = whole_set({**WISH, "status": "Waiting: NotQuiet: x"})
    start = replace(grown(world(live)), backups=(backup(),))
    start = with_answers(start, backups={"uid-b-1": saved(live)})

    assert Replace("b-1", UID) == decided(start)


def test_a_set_without_annotations_loses_its_backup() -> None:
    """A backup left behind by a wish that is gone with all our annotations is dropped."""
    start = world(whole_set(), backups=(backup(),))

    assert isinstance(plan(start), DropBackup)


def test_paused_begins_nothing() -> None:
    """No claim grows while the set is paused; what is done stays Done."""
    paused = {"paused": "true"}
    found = outcome(world(whole_set({**WISH, **paused})))
    assert Wait("the set is paused; remove the annotation paused to go on", Reason.PAUSED) == found
    assert Done() == outcome(world(whole_set({"resize-0": "10Gi", **paused})))


def test_a_paused_fault_is_told() -> None:
    """A set that is blocked anyway says why, also while it is paused."""
    live = whole_set({**WISH, "paused": "true"}, metadata=OWNED)

    assert isinstance(outcome(world(live)), Blocked)


def test_a_size_that_cannot_be_read_stops_the_look() -> None:
    """The caller skips the set: nothing is guessed about a claim."""
    start = world(claims=(claim(request="1e9999"), *claims_of(whole_set(), [1])))

    with pytest.raises(InvalidQuantity):
        plan(start)


def test_strangers_among_the_claims_are_asked_about_first() -> None:
    """A claim that only a Pod can tell ours from another's is cleared before any claim grows."""
    stranger = claim("data-db-1", metadata={"labels": {"app": "other"}})

    assert AskPods() == plan(world(claims=(claim(), stranger)))


def test_only_a_known_moment_is_old() -> None:
    """Exactly so many seconds are not more."""
    assert not is_older(None, NOW, 0)
    assert not is_older(NOW, NOW, 0)
    assert is_older(NOW, NOW.replace(hour=13), 3599)


def test_labels_of_ours_are_no_wish() -> None:
    """A label with one of our names asks for nothing by itself."""
    live = whole_set(metadata={"labels": {f"{PREFIX}auto-scaled": "true"}})

    assert Done() == plan(world(live))


def test_claims_only_means_no_gate() -> None:
    """A set that may not be recreated is Done when its claims are, whatever forbids a recreate."""
    live = whole_set({**WISH, "recreate": "false"}, metadata={"finalizers": ["x/y"]})
    start = replace(grown(world(live)), has_key=False)

    assert Done() == outcome(start)
