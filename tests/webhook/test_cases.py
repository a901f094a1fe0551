"""The table of cases at a real API server: what a person does, sees, and is left with."""

import pytest

from testbed.api import ApiRefusal
from tests.support.reviewers import Reviewer
from tests.support.sets import Json, Sets, statefulset, template_sizes
from tests.webhook.ways import (
    MANIFESTS,
    TAKEN,
    WAYS,
    WISH,
    Way,
    client_apply,
    manifest,
    own,
    replace,
    run,
    start,
)


@pytest.mark.parametrize("way", WAYS)
def test_a_bigger_size_becomes_a_wish(sets: Sets, way: Way) -> None:
    """However it is sent: the template stays, the wish is noted, and the person is told."""
    start(sets, way, manifest())

    told = way(sets, manifest("2Gi"))

    assert {"data": "1Gi"} == template_sizes(sets.get("db"))
    assert WISH == own(sets)
    assert f"Warning: {TAKEN.format(namespace=sets.namespace)}" in told


@pytest.mark.parametrize("way", MANIFESTS)
def test_the_same_manifest_again_changes_nothing(sets: Sets, way: Way) -> None:
    """A second apply leaves what is stored, owners and times too: no endless difference."""
    start(sets, way, manifest())
    way(sets, manifest("2Gi"))
    before = as_stored(sets)

    told = way(sets, manifest("2Gi"))

    after = as_stored(sets)
    assert before == after, told
    assert "conflict" not in told.lower()


def as_stored(sets: Sets) -> Json:
    """Return the set without what its controller writes, at whatever time."""
    found = sets.get("db")
    del found["status"], found["metadata"]["resourceVersion"]
    fields = found["metadata"].get("managedFields", [])
    found["metadata"]["managedFields"] = [each for each in fields if not each.get("subresource")]
    return found


@pytest.mark.parametrize("way", MANIFESTS)
def test_the_old_size_again_withdraws_the_wish(sets: Sets, way: Way) -> None:
    """A commit that is reverted before the resizer has begun leaves nothing behind."""
    start(sets, way, manifest())
    way(sets, manifest("2Gi"))
    asked = own(sets)

    told = way(sets, manifest("1Gi"))

    assert WISH == asked
    assert {} == own(sets)
    assert "Warning: data: the wish for 2Gi is withdrawn; the size stays 1Gi" in told


@pytest.mark.parametrize("way", MANIFESTS)
def test_the_old_size_again_is_told_of_what_is_under_way(sets: Sets, way: Way) -> None:
    """Once the resizer works, an older manifest changes only what was declared."""
    start(sets, way, manifest())
    way(sets, manifest("2Gi"))
    sets.annotate("db", status="Growing: data=2Gi")

    told = way(sets, manifest("1Gi"))

    assert {"resize-0": "2Gi", "declared-0": "1Gi", "status": "Growing: data=2Gi"} == own(sets)
    assert "Warning: data: growing from 1Gi to 2Gi is under way and goes on" in told


@pytest.mark.parametrize("way", WAYS)
def test_a_smaller_size_is_denied(sets: Sets, way: Way) -> None:
    """Below the declared size the request is refused, with 400 and in plain words."""
    start(sets, way, manifest("2Gi"))

    told = way(sets, manifest("1Gi"))

    assert "denied the request: data: 1Gi is less than 2Gi, and volumes never shrink; " in told
    assert "immutable" not in told
    assert {"data": "2Gi"} == template_sizes(sets.get("db"))


def test_a_denial_is_a_bad_request(sets: Sets) -> None:
    """Code 400: GitOps tools answer 409 and 422 by deleting the set."""
    sets.cluster.apply(statefulset(replicas=0, sizes={"data": "2Gi"}), sets.namespace)

    with pytest.raises(ApiRefusal, match="volumes never shrink") as refusal:
        sets.cluster.apply(statefulset(replicas=0), sets.namespace)

    assert 400 == refusal.value.code


def test_a_smaller_size_is_kept_where_the_set_says_so(sets: Sets) -> None:
    """With `on-smaller: keep` the manifest is taken, and the size stays."""
    client_apply(sets, manifest("2Gi", on_smaller="keep"))

    told = client_apply(sets, manifest("1Gi", on_smaller="keep"))

    assert "Warning: data: the size stays 2Gi, volumes never shrink" in told
    assert {"data": "2Gi"} == template_sizes(sets.get("db"))
    assert "1Gi" == own(sets)["declared-0"]


@pytest.mark.parametrize("way", WAYS)
def test_git_far_behind_an_autoscaled_set_denies_nothing(sets: Sets, way: Way) -> None:
    """A set that has grown since passes every deployment of its old manifest."""
    start(sets, way, manifest("8Gi"))
    sets.annotate("db", declared_0="1Gi", status="Done: data=8Gi")

    told = way(sets, manifest("1Gi"))

    assert "Warning: data: the size stays 8Gi, volumes never shrink; it has grown beyond" in told
    assert {"data": "8Gi"} == template_sizes(sets.get("db"))
    assert {"declared-0": "1Gi", "status": "Done: data=8Gi"} == own(sets)


@pytest.mark.parametrize("way", WAYS)
def test_another_spelling_is_no_wish(sets: Sets, way: Way) -> None:
    """1024Mi is 1Gi."""
    start(sets, way, manifest())

    told = way(sets, manifest("1024Mi"))

    assert "Warning" not in told
    assert {} == own(sets)


@pytest.mark.parametrize("way", WAYS)
def test_two_templates_are_two_wishes(sets: Sets, way: Way) -> None:
    """Both bigger sizes of one request are noted."""
    start(sets, way, manifest(log="1Gi"))

    way(sets, manifest("2Gi", log="3Gi"))

    assert ("2Gi", "3Gi", "Waiting: data=2Gi, log=3Gi") == (
        own(sets)["resize-0"],
        own(sets)["resize-1"],
        own(sets)["status"],
    )


@pytest.mark.parametrize("way", WAYS)
def test_one_smaller_size_denies_the_bigger_one_beside_it(sets: Sets, way: Way) -> None:
    """A request is taken whole or not at all."""
    start(sets, way, manifest("1Gi", log="2Gi"))

    told = way(sets, manifest("2Gi", log="1Gi"))

    assert "denied the request: log: 1Gi is less than 2Gi" in told
    assert {} == own(sets)


@pytest.mark.parametrize("way", WAYS)
def test_a_smaller_size_that_is_kept_leaves_the_bigger_one_beside_it(sets: Sets, way: Way) -> None:
    """With `on-smaller: keep` one template gets its wish, and the other stays."""
    start(sets, way, manifest("1Gi", log="2Gi", on_smaller="keep"))

    told = way(sets, manifest("2Gi", log="1Gi", on_smaller="keep"))

    assert "Warning: log: the size stays 2Gi" in told
    assert "Warning: data: 1Gi -> 2Gi is taken as a wish" in told
    assert {"data": "1Gi", "log": "2Gi"} == template_sizes(sets.get("db"))
    assert ("2Gi", "1Gi") == (own(sets)["resize-0"], own(sets)["declared-1"])


def test_a_put_without_our_annotations_loses_nothing(sets: Sets) -> None:
    """What the operator has noted is put back; the person's manifest never had it."""
    start(sets, client_apply, manifest("2Gi"))
    noted = {"declared-0": "1Gi", "status": "Done: data=2Gi"}
    sets.annotate("db", **{key.replace("-", "_"): text for key, text in noted.items()})

    replace(sets, manifest("1Gi"))

    assert noted == own(sets)
    assert {"data": "2Gi"} == template_sizes(sets.get("db"))


def test_a_set_with_a_wish_is_scaled_without_being_asked_about(
    sets: Sets, reviewer: Reviewer
) -> None:
    """The subresource never arrives, and the wish stays."""
    start(sets, client_apply, manifest())
    client_apply(sets, manifest("2Gi"))
    before = reviewer.metric("rso_reviews_total")

    run(sets, "scale", "sts", "db", "--replicas=1")

    assert 1 == sets.get("db")["spec"]["replicas"]
    assert WISH == own(sets)
    assert before == reviewer.metric("rso_reviews_total")
