"""The whole course of a resize, played: it ends, and it may be cut anywhere."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rso.core.actions import (
    Done,
    DropBackup,
    GrowClaim,
    RenewGeneration,
    Replace,
    SaveBackup,
    SetRetain,
    SetStatus,
    Step,
    Unreference,
)
from rso.core.effects import done
from rso.core.fold import fold, folding
from rso.core.names import WHEN_DELETED, Phase
from rso.core.plan import plan
from rso.core.played import patch_set
from rso.core.world import World
from tests.core.courses import (
    DELETE_POLICY,
    WISH,
    assert_is_safe,
    deleting_set,
    forgetful,
    interrupted,
    last_world,
    rest,
    worlds,
)
from tests.factories import (
    HELM,
    whole_set,
    world,
)


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


def test_a_status_that_is_ahead_holds_nothing_up() -> None:
    """The generation rises until the status tells the truth, then the policy changes."""
    live = whole_set(WISH, spec=DELETE_POLICY, status={"observedGeneration": 3})

    found = fold(world(live))

    steps = [type(each) for each in found if isinstance(each, Step)]
    kept = [each for each in steps if each in (RenewGeneration, SetRetain, Replace)]
    assert [RenewGeneration, SetRetain, Replace] == kept
    assert Done() == found[-1]


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


def wished_midway(start: World, size: str | None) -> Iterator[World]:
    """Yield each world of a course in which the set lives, its wish changed just now."""
    annotation = {"resize-statefulset-operator/resize-0": size}
    for cut in interrupted(start):
        if cut.statefulset and not cut.statefulset.metadata.is_deleting:
            yield forgetful(patch_set(cut, {"metadata": {"annotations": annotation}}))


def assert_leaves_nothing(final: World, policy: str) -> None:
    assert final.statefulset is not None
    kept = final.statefulset.spec.persistent_volume_claim_retention_policy
    assert policy == kept.when_deleted
    assert final.backups == ()
    assert WHEN_DELETED not in final.statefulset.metadata.annotations


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
@pytest.mark.parametrize("size", [None, "5Gi", "15Gi", "30Gi"])
def test_a_wish_changed_midway_leaves_nothing_behind(policy: str, size: str | None) -> None:
    """Withdrawn, lowered or raised anywhere: the policy comes back and no backup stays."""
    spec = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": policy}}
    start = world(whole_set({"auto-scaled": "true", **WISH}, spec=spec))

    for changed in wished_midway(start, size):
        assert_is_safe(changed)
        assert_leaves_nothing(last_world(changed), policy)


def test_a_wish_raised_before_the_delete_is_one_recreate() -> None:
    """Two sizes in short succession delete the set once, and it has the larger one."""
    for changed in wished_midway(world(), "30Gi"):
        decisions = fold(changed)
        assert sum(isinstance(each, Replace) for each in decisions) == 1
        final = last_world(changed)
        assert {"30Gi"} == {each.request for each in final.claims}


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


@given(worlds())
@settings(max_examples=60)
def test_any_course_ends_safely(start: World) -> None:
    """Whatever set it is and however far its claims are, the course is safe and ends in Done."""
    assert_is_safe(start)
    assert Done() == fold(start)[-1]


@given(worlds(), st.data())
@settings(max_examples=60)
def test_any_cut_gives_the_same_rest(start: World, data: st.DataObject) -> None:
    """Whatever set it is and wherever a resizer dies, the next one gets to the same rest."""
    cut = data.draw(st.sampled_from(list(interrupted(start))))

    assert_is_safe(forgetful(cut))
    assert rest(start) == rest(forgetful(cut))
