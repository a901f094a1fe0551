"""The whole course of a resize, played: it ends, and it may be cut anywhere.

After a cut nothing is remembered but the cluster: answers are forgotten, but for what only the
played cluster itself knows (the whole set, contents of backups).
"""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rso.core import successor
from rso.core.actions import (
    AskBackup,
    AskProof,
    Decision,
    Done,
    DropBackup,
    GrowClaim,
    Recreate,
    Replace,
    SaveBackup,
    SetRetain,
    SetStatus,
    Step,
    Unreference,
    Wait,
)
from rso.core.effects import cuts, done
from rso.core.fold import apply, fold, folding
from rso.core.names import WHEN_DELETED, Phase, Reason
from rso.core.plan import plan
from rso.core.played import settle, whole
from rso.core.quantity import read_bytes
from rso.core.world import Answers, Growth, Live, Saved, World
from tests.factories import (
    BOUNDS,
    HELM,
    Json,
    backup,
    claim,
    claims_of,
    merged,
    own,
    owner_reference,
    pod,
    pods,
    saved,
    unbound,
    whole_set,
    with_answers,
    world,
)

DELETE_POLICY: Json = {
    "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Retain"}
}
WISH = {"resize-0": "20Gi"}
TWO = {"data": "10Gi", "log": "5Gi"}


def owned_claims(live: Json) -> tuple[Any, ...]:
    """Return claims that name their set as owner, as whenDeleted: Delete makes them."""
    owner = owner_reference(live["metadata"]["uid"])
    names = [each.metadata.name for each in claims_of(live)]
    return tuple(claim(name, metadata={"ownerReferences": [owner]}) for name in names)


def deleting_set() -> World:
    live = whole_set(WISH, spec=DELETE_POLICY)
    return world(live, claims=owned_claims(live))


def with_left_over() -> World:
    live = whole_set(WISH, spec={"replicas": 1})
    return world(live, claims=claims_of(live, range(3)))


def mixed_progress() -> World:
    live = whole_set(WISH)
    first, *others = claims_of(live)
    return world(live, claims=(claim(first.metadata.name, "20Gi", "20Gi"), *others))


def lowered() -> World:
    live = whole_set({"resize-0": "15Gi"}, spec={"replicas": 1})
    status = {"allocatedResourceStatuses": {"storage": "ControllerResizeInfeasible"}}
    grown_at = {"annotations": own({"grown-at": "2026-11-01T11:59:00Z"})}
    infeasible = claim("data-db-0", "20Gi", "10Gi", metadata=grown_at, status=status)
    return world(live, claims=(infeasible,))


def larger_volume() -> World:
    """Return a world whose volume is larger than its claim says (kubernetes.md V40)."""
    start = world(whole_set(WISH, spec={"replicas": 1}))
    answered = apply(start, plan(start))
    known = answered.answers.growth.claims["data-db-0"]
    larger = replace(known, volume_bytes=read_bytes("20Gi"))
    growth = replace(answered.answers.growth, claims={"data-db-0": larger})
    return with_answers(answered, growth=growth)


WORLDS = {
    "no replicas": lambda: world(whole_set(WISH, spec={"replicas": 0})),
    "one replica": lambda: world(whole_set(WISH, spec={"replicas": 1})),
    "three replicas": world,
    "three replicas, two templates": lambda: world(
        whole_set({"resize.data": "20Gi", "resize-1": "6Gi"}, TWO)
    ),
    "two templates, one wish": lambda: world(whole_set({"resize-1": "6Gi"}, TWO)),
    "parallel": lambda: world(whole_set(WISH, spec={"podManagementPolicy": "Parallel"})),
    "ordinals from 5": lambda: world(whole_set(WISH, spec={"ordinals": {"start": 5}})),
    "on delete, revisions apart": lambda: world(
        whole_set(
            WISH,
            spec={"updateStrategy": {"type": "OnDelete"}},
            status={"updateRevision": "db-2"},
        )
    ),
    "claims deleted with the set": deleting_set,
    "claims left from a scale-down": with_left_over,
    "never recreated": lambda: world(whole_set({**WISH, "recreate": "false"})),
    "template stays behind the autoscaler": lambda: world(
        whole_set({"auto-resize-0": "20Gi"}), bounds=replace(BOUNDS, template_follows=False)
    ),
    "template follows the autoscaler": lambda: world(whole_set({"auto-resize-0": "20Gi"})),
    "volumes cannot be read": lambda: world(bounds=replace(BOUNDS, reads_volumes=False)),
    "wish satisfied": lambda: world(whole_set({"resize-0": "10Gi"})),
    "wish below the template": lambda: world(whole_set({"resize-0": "1Gi"})),
    "wish lowered from an infeasible size": lowered,
    "claims behind a satisfied template": lambda: world(
        whole_set({"resize-0": "10Gi", "status": "Growing: data=10Gi"}),
        claims=(claim(request="5Gi", capacity="5Gi"),),
    ),
    "some claims grown before": mixed_progress,
    "volume larger than its claim": larger_volume,
    "rolling update": lambda: world(whole_set(WISH, status={"updateRevision": "db-2"})),
    "change not yet seen": lambda: world(whole_set(WISH, metadata={"generation": 2})),
    "Pods not quiet": lambda: with_answers(world(), pods=pods(pod("db-0"), pod("db-1"))),
    "storage still growing": lambda: world(
        claims=(claim("data-db-0", "20Gi", "10Gi"), *claims_of(whole_set(WISH), [1, 2]))
    ),
    "owner, claims only": lambda: world(
        whole_set(
            {**WISH, "recreate": "false"},
            metadata={"ownerReferences": [owner_reference("u", "Database", "main")]},
        )
    ),
    "another set is absent": lambda: world(has_turn=False),
    "retain left by a withdrawn wish": lambda: world(whole_set({"when-deleted": "Delete"})),
    "versions that are no numbers": lambda: world(
        whole_set(WISH, metadata={"resourceVersion": "a7"})
    ),
}


@pytest.fixture(params=list(WORLDS.values()), ids=list(WORLDS))
def start(request: pytest.FixtureRequest) -> World:
    """Return each world of the table."""
    made: World = request.param()
    return made


def last_world(start: World) -> World:
    """Return the world in which a fold ends; it ends in Done."""
    moments = list(folding(start))
    final, decision = moments[-1]
    assert decision == Done()
    return final


def rest(start: World) -> Json:
    """Return what people see when all is done."""
    final = settle(last_world(start))  # claims without a Pod may still be growing
    statefulset = final.statefulset
    assert statefulset is not None
    live = whole(statefulset, final)
    for key in ("resourceVersion", "generation"):
        live["metadata"].pop(key)
    return {
        "set": live,
        "claims": [
            (each.metadata.name, each.request, each.capacity, each.metadata.owner_references)
            for each in final.claims
        ],
        "backups": final.backups,
    }


def interrupted(start: World) -> Iterator[World]:
    """Yield the world before each decision of a fold, and after each part of `Replace`."""
    for before, decision in folding(start):
        yield before
        if isinstance(decision, Replace):
            yield from cuts(before, decision)


def forgetful(before: World) -> World:
    """Return the world as a new process finds it."""
    known = before.answers
    stale = {
        name: replace(answer, resource_version="") for name, answer in known.growth.claims.items()
    }
    live = known.live and Live(merged(known.live.object, {"metadata": {"resourceVersion": "0"}}))
    return replace(before, answers=Answers(Growth(stale), live=live, backups=known.backups))


def assert_is_safe(start: World) -> None:
    """Hold each decision of a fold against the oracles O4, O5, O6 and O10."""
    moments = list(folding(start))
    for before, decision in moments:
        if isinstance(decision, GrowClaim):
            assert_grows(before, decision)
        if isinstance(decision, Replace):
            assert_is_saved(before, decision)
    assert sum(isinstance(decision, Replace) for _, decision in moments) <= 1


def assert_grows(before: World, step: GrowClaim) -> None:
    found = next(each for each in before.claims if each.metadata.name == step.claim)
    new = read_bytes(step.new)
    if found.status.resize_status.endswith("Infeasible"):
        assert read_bytes(found.capacity) < new
    else:
        assert read_bytes(found.request) < new


def assert_is_saved(before: World, step: Replace) -> None:
    statefulset = before.statefulset
    assert statefulset is not None
    backup = before.own_backup()
    assert backup is not None
    assert step.backup == backup.name
    content = before.answers.backups[backup.uid]
    assert isinstance(content, Saved)
    assert successor.is_same(content.object, whole(statefulset, before))
    for template, size in content.sizes.items():
        for each in before.claims:
            if each.metadata.name.startswith(f"{template}-") and each.status.phase == "Bound":
                assert read_bytes(size) <= max(read_bytes(each.request), _volume(before, each))
    policy = statefulset.spec.persistent_volume_claim_retention_policy
    assert policy.when_deleted == "Retain"
    assert not any(each.metadata.owner_references for each in before.claims)


def _volume(before: World, each: Any) -> int:  # noqa: ANN401  a claim
    answer = before.answers.growth.claims.get(each.metadata.name)
    return (answer.volume_bytes or 0) if answer else 0


def test_every_course_ends_in_done(start: World) -> None:
    """A quiet cluster comes to rest with everything wished for."""
    assert Done() == fold(start)[-1]


def test_every_course_is_safe(start: World) -> None:
    """No claim shrinks, no set is deleted twice, nor before it is saved and its claims are in."""
    assert_is_safe(start)


def test_every_cut_gives_the_same_rest(start: World) -> None:
    """A resizer that dies anywhere, also inside Replace, is followed by one that gets as far."""
    expected = rest(start)

    for cut in interrupted(start):
        assert expected == rest(forgetful(cut))


def test_every_second_cut_gives_the_same_rest() -> None:
    """A resizer that dies again while it recovers changes nothing either."""
    expected = rest(world())

    for cut in interrupted(world()):
        for second in interrupted(forgetful(cut)):
            assert expected == rest(forgetful(second))


def test_a_finished_world_is_left_alone(start: World) -> None:
    """Once all is done, ten more looks change nothing."""
    final = last_world(start)

    for _ in range(10):
        assert Done() == plan(final)
        final = replace(final, now=final.now.replace(hour=23))


def test_the_steps_of_a_resize_have_one_order() -> None:
    """Claims grow smallest ordinal first, then the set is saved, replaced, and finished."""
    steps = [each for each in fold(world()) if isinstance(each, Step)]

    assert [
        SetStatus,
        GrowClaim,
        GrowClaim,
        GrowClaim,
        SaveBackup,
        Replace,
        DropBackup,
        SetStatus,
    ] == [type(each) for each in steps]


def test_claims_that_would_go_with_their_set_are_kept_first() -> None:
    """The retention policy is Retain and no claim names the set before anything is saved."""
    steps = [type(each) for each in fold(deleting_set()) if isinstance(each, Step)]

    expected = [SetRetain, Unreference, Unreference, Unreference, SaveBackup, Replace]
    assert expected == steps[steps.index(SetRetain) : steps.index(Replace) + 1]


def test_the_retention_policy_comes_back() -> None:
    """The new set deletes its claims with itself again, and bears no note of ours."""
    final = last_world(deleting_set()).statefulset

    assert final is not None
    assert final.spec.persistent_volume_claim_retention_policy.when_deleted == "Delete"
    assert WHEN_DELETED not in final.metadata.annotations


def test_the_new_set_differs_in_its_size_only() -> None:
    """Labels, foreign annotations, managers and the whole spec come back."""
    seen = rest(world())["set"]

    before = whole_set(WISH)
    templates = before["spec"].pop("volumeClaimTemplates")
    templates[0]["spec"]["resources"]["requests"]["storage"] = "20Gi"
    assert templates == seen["spec"].pop("volumeClaimTemplates")
    assert before["spec"] == seen["spec"]
    assert before["metadata"]["labels"] == seen["metadata"]["labels"]
    assert seen["metadata"]["annotations"]["note"] == "by hand"
    assert seen["metadata"]["managedFields"] == [HELM]


def test_no_status_is_written_between_save_and_finish(start: World) -> None:
    """A status would make the backup differ from the set."""
    steps = [type(each) for each in fold(start) if isinstance(each, Step)]
    if SaveBackup in steps:
        between = steps[steps.index(SaveBackup) : steps.index(DropBackup)]
        assert SetStatus not in between


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_a_wish_withdrawn_midway_leaves_nothing_behind(policy: str) -> None:
    """Without its wish the policy is restored and the backup dropped, wherever it is withdrawn."""
    spec = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": policy}}
    start = world(whole_set({"auto-scaled": "true", **WISH}, spec=spec))

    for before, _ in folding(start):
        if before.statefulset and before.statefulset.metadata.uid == "0f5a-1":
            final = last_world(without_wish(before))
            assert final.statefulset is not None
            kept = final.statefulset.spec.persistent_volume_claim_retention_policy
            assert policy == kept.when_deleted
            assert final.backups == ()
            assert WHEN_DELETED not in final.statefulset.metadata.annotations


def without_wish(before: World) -> World:
    statefulset = before.statefulset
    assert statefulset is not None
    live = whole(statefulset, before)
    annotations = dict(live["metadata"]["annotations"])
    annotations.pop("resize-statefulset-operator/resize-0", None)
    version = str(int(live["metadata"]["resourceVersion"]) + 1000)
    metadata = {**live["metadata"], "annotations": annotations, "resourceVersion": version}
    changed = world({**live, "metadata": metadata, "status": {"observedGeneration": 99}})
    return replace(
        changed,
        claims=before.claims,
        backups=before.backups,
        answers=replace(before.answers, live=changed.answers.live),
    )


def test_a_set_deleted_by_its_user_stays_deleted() -> None:
    """Before our label is set, a set that goes is let go, and its backup with it."""
    for before, decision in folding(world()):
        if isinstance(decision, Replace):
            away = replace(before, statefulset=None)

            assert [DropBackup, Done] == [type(each) for each in fold(away)]
            return


def test_an_absent_set_comes_back_from_its_backup() -> None:
    """What is labelled as being deleted and gone is created, whatever else is wrong."""
    live = whole_set({**WISH, "paused": "true", "max-size": "nonsense"})
    step = SaveBackup("0f5a-1", {"data": "20Gi"})
    labelled = done(world(live), step)
    labelled = replace(
        labelled,
        statefulset=None,
        has_key=False,
        backups=(replace(labelled.backups[0], phase=Phase.DELETING),),
    )

    final = list(folding(labelled))[-1][0]

    assert final.statefulset is not None
    assert final.statefulset.metadata.uid == "0f5a-1-next"
    assert final.backups == ()


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

    opened = {"uid-b-1": saved(live)}
    decisions = fold(start, lambda before, _: with_answers(before, backups=opened))

    assert [AskBackup, Recreate] == [type(each) for each in decisions[:2]]
    assert Done() == decisions[-1]


def test_a_backup_that_is_not_opened_here_blocks() -> None:
    """Who does not hold the key sees that a backup must be opened first."""
    start = world(statefulset=None, backups=(backup(phase=Phase.DELETING),))

    assert Reason.BACKUP_UNREADABLE in str(fold(start)[-1])


SIZES = ("5Gi", "10Gi", "15Gi", "20Gi", "50Gi")


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Worlds whose annotations can be followed and whose storage obeys."""
    templates = draw(st.sampled_from([{"data": "10Gi"}, TWO]))
    wishes = draw(
        st.dictionaries(
            st.sampled_from(["resize-0", "resize.data", "auto-resize-0"]), st.sampled_from(SIZES)
        )
    )
    flags = draw(st.dictionaries(st.just("recreate"), st.sampled_from(["true", "false"])))
    retention = {"whenDeleted": draw(st.sampled_from(["Retain", "Delete"]))}
    live = whole_set(
        {**wishes, **flags},
        templates,
        spec={
            "replicas": draw(st.integers(0, 3)),
            "ordinals": {"start": draw(st.integers(0, 2))},
            "updateStrategy": {"type": draw(st.sampled_from(["OnDelete", "RollingUpdate"]))},
            "persistentVolumeClaimRetentionPolicy": retention,
        },
        metadata={"generation": draw(st.integers(1, 2))},
        status={"updateRevision": draw(st.sampled_from(["db-1", "db-2"]))},
    )
    claims = tuple(
        draw(claims_like(each.metadata.name))
        for each in claims_of(live, range(draw(st.integers(0, 6))))
    )
    follows = draw(st.booleans())
    bounds = replace(BOUNDS, template_follows=follows, reads_volumes=draw(st.booleans()))
    return world(live, claims=claims, bounds=bounds, has_turn=draw(st.booleans()))


@st.composite
def claims_like(draw: st.DrawFn, name: str) -> Any:  # noqa: ANN401  a claim
    """Claims somewhere on their way: capacity at the request or below it, maybe owned."""
    capacity, request = sorted(
        draw(st.tuples(st.sampled_from(SIZES), st.sampled_from(SIZES))), key=read_bytes
    )
    owners = draw(st.sampled_from([[], [owner_reference("0f5a-1")], [owner_reference("old")]]))
    return claim(name, request, capacity, metadata={"ownerReferences": owners})


@given(worlds())
@settings(deadline=None, max_examples=60)
def test_any_course_ends_safely(start: World) -> None:
    """Whatever set it is and however far its claims are, the course is safe and ends in Done."""
    assert_is_safe(start)
    assert Done() == fold(start)[-1]


@given(worlds(), st.data())
@settings(deadline=None, max_examples=60)
def test_any_cut_gives_the_same_rest(start: World, data: st.DataObject) -> None:
    """Whatever set it is and wherever a resizer dies, the next one gets to the same rest."""
    cut = data.draw(st.sampled_from(list(interrupted(start))))

    assert_is_safe(forgetful(cut))
    assert rest(start) == rest(forgetful(cut))
