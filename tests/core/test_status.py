"""The words that people see on a set."""

import pytest
from msgspec.structs import replace

from rso.core.actions import (
    AskGrowth,
    Done,
    GrowClaim,
    SetStatus,
    Wait,
    describe,
)
from rso.core.fold import answered
from rso.core.plan import MAX_STATUS_CHARACTERS, plan
from rso.core.world import Refusal, World
from tests.factories import (
    Json,
    claim,
    decided,
    owner_reference,
    told,
    unbound,
    whole_set,
    with_growth,
    world,
)

WISH = {"resize-0": "20Gi"}
OWNED: Json = {"ownerReferences": [owner_reference("u", "Database", "main")]}


def text_of(start: World) -> str:
    """Return the status that is written first."""
    found = decided(start)
    assert isinstance(found, SetStatus)
    return found.text


def refused(message: str) -> World:
    """Return the world in which every claim is refused."""
    start = world()
    question = plan(start)
    assert isinstance(question, AskGrowth)
    given = answered(start, question).answers.growth.claims
    refusal = Refusal(403, "Forbidden", message)
    claims = {name: replace(answer, refusal=refusal) for name, answer in given.items()}
    return with_growth(start, claims=claims)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        pytest.param(world(), "Growing: data=20Gi", id="before the first patch"),
        pytest.param(
            world(whole_set({**WISH, "status": "Waiting: data=20Gi"})),
            "Growing: data=20Gi",
            id="what the webhook has told",
        ),
        pytest.param(
            world(whole_set({**WISH, "status": "Done: data=10Gi"})),
            "Growing: data=20Gi",
            id="after an earlier resize",
        ),
        pytest.param(
            world(whole_set({"resize-1": "6Gi"}, {"data": "10Gi", "log": "5Gi"})),
            "Growing: log=6Gi",
            id="only what is wished for",
        ),
        pytest.param(
            world(
                whole_set({"resize.log": "6Gi", "resize-0": "20Gi"}, {"data": "10Gi", "log": "5Gi"})
            ),
            "Growing: data=20Gi, log=6Gi",
            id="two templates",
        ),
        pytest.param(
            world(whole_set({"resize-0": "10Gi", "status": "Growing: data=10Gi"})),
            "Done: data=10Gi",
            id="done",
        ),
        pytest.param(
            world(whole_set({"status": "Blocked: Malformed: x"}, {"data": "10Gi", "log": "5Gi"})),
            "Done: data=10Gi, log=5Gi",
            id="done without a wish",
        ),
        pytest.param(
            world(whole_set({"resize-0": "much"})),
            "Blocked: Malformed: resize-0: 'much' cannot be used: it is not a size; write a whole "
            "or decimal number and a unit, for example 10Gi, 1.5Ti or 500G "
            "(units: Ki Mi Gi Ti Pi Ei, k M G T P E)",
            id="a fault",
        ),
        pytest.param(
            world(whole_set({**WISH, "paused": "true"})),
            "Waiting: Paused: the set is paused; remove the annotation paused to go on",
            id="paused",
        ),
        pytest.param(
            world(whole_set({**WISH, "recreate": "false"}), claims=(unbound(),)),
            "Waiting: Unbound: claim data-db-0 is not bound; it grows once it is",
            id="a wait with a reason",
        ),
        pytest.param(
            world(claims=(claim(request="20Gi"),)),
            "Growing: data=20Gi",
            id="a wait without a reason",
        ),
        pytest.param(
            world(whole_set(WISH, metadata=OWNED)),
            "Blocked: OwnedByController: Database main manages this set and would undo a "
            "recreate; set the size there, or set the annotation recreate to false to grow only "
            "the claims",
            id="an owner",
        ),
        pytest.param(
            refused("exceeded quota: team"),
            "Blocked: QuotaFull: claim data-db-0 cannot grow to 20Gi within the namespace's "
            "quota: 'exceeded quota: team'; raise the ResourceQuota or lower the wish",
            id="a refusal",
        ),
    ],
)
def test_the_status_says_how_it_stands(start: World, expected: str) -> None:
    """These are the words on the set: no counters, no times."""
    assert expected == text_of(start)
    assert not isinstance(decided(told(start, expected)), SetStatus)


def test_a_wait_keeps_the_words_of_growing() -> None:
    """A wait without a reason changes no status, whatever sizes it names."""
    start = world(
        whole_set({**WISH, "status": "Growing: data=15Gi"}), claims=(claim(request="20Gi"),)
    )

    assert isinstance(plan(start), Wait)


def test_a_status_is_not_longer_than_its_bound() -> None:
    """However long a sentence is, the annotation is bounded."""
    names = {f"t{each}": "10Gi" for each in range(300)}
    start = world(whole_set({"resize-999": "20Gi"}, names), claims=())

    assert MAX_STATUS_CHARACTERS == len(text_of(start))


def test_a_finished_wish_leaves_no_status_where_there_was_none() -> None:
    """A set that never began is not told Done."""
    assert Done() == plan(world(whole_set({"resize-0": "5Gi"})))


def test_a_step_is_shown_as_plain_data() -> None:
    """People and JSON see the name of the step and its fields."""
    shown = describe(GrowClaim("data-db-0", "50", "10Gi", "20Gi"))

    expected = {
        "step": "GrowClaim",
        "claim": "data-db-0",
        "resource_version": "50",
        "old": "10Gi",
        "new": "20Gi",
    }
    assert expected == shown
