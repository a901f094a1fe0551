"""The played cluster: what it is asked in earnest, and where it stops."""

from typing import Any

import pytest
from msgspec.structs import replace

from rso.core.actions import (
    AskBackup,
    AskProof,
    AskWitness,
    Decision,
    Done,
    Recreate,
    Replace,
    SetStatus,
    Wait,
)
from rso.core.fold import apply, fold
from rso.core.names import Phase, Reason
from rso.core.played import settle
from rso.core.world import Answers, Live, World
from tests.core.courses import DELETE_POLICY, WISH, deleting_set
from tests.factories import (
    backup,
    claims_of,
    pods,
    saved,
    unbound,
    whole_set,
    with_answers,
    world,
)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        pytest.param(
            lambda: world(whole_set({**WISH, "paused": "true"})), Reason.PAUSED, id="paused"
        ),
        pytest.param(
            lambda: world(claims=(unbound(), *claims_of(whole_set(WISH), [1, 2]))),
            Reason.UNBOUND,
            id="a claim without a volume",
        ),
    ],
)
def test_what_only_a_person_ends_ends_the_fold(made: Any, reason: Reason) -> None:  # noqa: ANN401  makes a world
    """A wait that no quiet cluster ends is told once, as the last decision."""
    decisions = fold(made())

    waits = [each for each in decisions if isinstance(each, Wait) and each.reason == reason]
    assert [decisions[-1]] == waits


def test_a_fold_has_a_limit() -> None:
    """A course that is longer than the limit is cut there."""
    assert len(fold(world(), limit=3)) == 3


def test_real_answers_may_be_used() -> None:
    """A refusal that a real cluster gave ends the course, even when status was written before."""

    def ask(before: World, question: Decision) -> World:
        after = apply(before, question)
        proof = after.answers.proof
        if proof is None:
            return after
        return with_answers(
            after,
            live=proof.live,
            proof=replace(
                proof,
                live=replace(proof.live, object=whole_set(WISH)),
                witness=False,
            ),
        )

    decisions = fold(world(), ask)

    assert Reason.CANNOT_PROVE in str(decisions[-1])


def test_an_answer_that_does_not_answer_is_played() -> None:
    """A caller that has nothing to say does not hold up the course."""
    assert Done() == fold(world(), lambda before, _: before)[-1]


def test_nothing_real_is_asked_of_a_set_that_was_only_deleted_in_play() -> None:
    """After a played delete the real set is the old one; its answers would be wrong."""

    def ask(before: World, question: Decision) -> World:
        after = apply(before, question)
        found = after.answers.pods
        if found is None:
            return after
        return with_answers(after, pods=replace(found, pods=pods().pods))

    assert Done() == fold(world(), ask)[-1]


def test_a_waiting_world_without_a_set_stays_as_it_is() -> None:
    """Where there is no set, waiting changes nothing."""
    away = world(statefulset=None)

    assert away == settle(away)
    assert away == apply(away, Done())


def test_nothing_is_done_to_what_is_not_there() -> None:
    """A step about a set or a backup that is not there is an error of the caller."""
    away = world(statefulset=None)
    unopened = world(backups=(backup(),))

    for start, step in (
        (away, SetStatus("x")),
        (world(), Replace("b-1", "0f5a-1")),
        (unopened, Replace("b-1", "0f5a-1")),
    ):
        with pytest.raises(LookupError):
            apply(start, step)


def test_a_set_is_made_up_where_nobody_has_read_it() -> None:
    """Without the whole set the course is played with the least one that fits."""
    start = replace(world(), answers=Answers())

    assert Done() == fold(start)[-1]


def test_a_whole_set_read_before_a_played_change_is_brought_up_to_date() -> None:
    """What is asked in earnest shows the old policy; the played set has Retain by then."""
    read = replace(
        deleting_set().answers.live or Live({}), object=whole_set(WISH, spec=DELETE_POLICY)
    )

    def ask(before: World, question: Decision) -> World:
        if not isinstance(question, AskProof):
            return before
        after = apply(before, question)
        assert after.answers.proof is not None
        return with_answers(after, live=read, proof=replace(after.answers.proof, live=read))

    steps = [type(each) for each in fold(deleting_set(), ask)]

    assert Replace in steps
    assert Done == steps[-1]


def test_a_backup_opened_in_earnest_brings_the_set_back() -> None:
    """An absent set's backup is opened by who holds the key; the rest is played."""
    live = whole_set(WISH)
    start = world(
        live, statefulset=None, answers=Answers(), backups=(backup(phase=Phase.DELETING),)
    )

    opened = with_answers(start, backups={"uid-b-1": saved(live)})
    decisions = fold(start, lambda _, asked: opened if isinstance(asked, AskBackup) else None)

    assert [AskBackup, AskWitness, Recreate] == [type(each) for each in decisions[:3]]
    assert Done() == decisions[-1]


def test_a_backup_that_is_not_opened_here_blocks() -> None:
    """Who does not hold the key sees that a backup must be opened first."""
    start = world(statefulset=None, backups=(backup(phase=Phase.DELETING),))

    assert Reason.BACKUP_UNREADABLE in str(fold(start)[-1])
