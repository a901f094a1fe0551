"""The review: what becomes of each kind of change to a set."""

from typing import Any

import pytest

from rso.core.admission import review
from rso.core.policy import Bounds
from rso.core.reviewed import Kind, Request
from rso.core.rules import Rules
from rso.core.verdict import Verdict
from tests.support.reviewed import (
    apply,
    client_apply,
    create,
    patch,
    patched,
    put,
    reviewed_set,
    template,
)
from tests.support.sets import PREFIX

Json = dict[str, Any]
GIB = 2**30
RULES = Rules(Bounds(max_size_bytes=2000 * GIB, max_factor=10, template_follows=False))
KEEP = Rules(RULES.bounds, "keep")
WATCH = "watch it: kubectl rso status db -n shop -w"
WAITING = "Waiting: data=20Gi"
PENDING = {"resize_0": "20Gi", "declared_0": "20Gi", "status": WAITING}
BEGUN = {**PENDING, "status": "Growing: data=20Gi"}


def sizes(found: Json) -> list[str]:
    """Return the sizes of the templates."""
    return [
        each["spec"]["resources"]["requests"]["storage"]
        for each in found["spec"]["volumeClaimTemplates"]
    ]


def own(found: Json) -> dict[str, str]:
    """Return our annotations, without the prefix."""
    annotations = found["metadata"].get("annotations") or {}
    return {
        key.removeprefix(PREFIX): text
        for key, text in annotations.items()
        if key.startswith(PREFIX)
    }


def after(request: Request, rules: Rules = RULES) -> tuple[list[str], dict[str, str]]:
    """Return the sizes and our annotations that a review leaves."""
    verdict = review(request, rules)
    assert verdict.allowed, verdict.message
    found = patched(request, verdict.patch)
    return sizes(found), own(found)


def said(request: Request, rules: Rules = RULES) -> tuple[str, ...]:
    """Return the warnings of a review."""
    return review(request, rules).warnings


@pytest.mark.parametrize("send", [patch, put, apply, client_apply])
def test_a_bigger_size_becomes_a_wish(send: Any) -> None:  # noqa: ANN401  makes a request
    """However it is sent: the stored size comes back, wish, declared size and status are noted."""
    old, new = reviewed_set(), reviewed_set({"data": "20Gi"})

    expected = {"resize-0": "20Gi", "declared-0": "20Gi", "status": WAITING}
    assert (["10Gi"], expected) == after(send(old, new))
    assert said(send(old, new)) == (
        "data: 10Gi -> 20Gi is taken as a wish; every claim grows and no Pod restarts; " + WATCH,
    )
    assert "changed" == review(send(old, new), RULES).outcome


def test_two_bigger_sizes_become_two_wishes() -> None:
    """Each template has its own wish, and the status names both."""
    old = reviewed_set({"data": "10Gi", "log": "1Gi"})
    new = reviewed_set({"data": "20Gi", "log": "2Gi"})

    left, noted = after(patch(old, new))

    assert ["10Gi", "1Gi"] == left
    assert {
        "resize-0": "20Gi",
        "declared-0": "20Gi",
        "resize-1": "2Gi",
        "declared-1": "2Gi",
        "status": "Waiting: data=20Gi, log=2Gi",
    } == noted


def test_bigger_and_smaller_mixed_are_denied_together() -> None:
    """Half of a request is not taken."""
    old = reviewed_set({"data": "10Gi", "log": "2Gi"})
    new = reviewed_set({"data": "20Gi", "log": "1Gi"})

    verdict = review(patch(old, new), RULES)

    assert not verdict.allowed
    assert verdict.patch == ()
    assert verdict.message == (
        "log: 1Gi is less than 2Gi, and volumes never shrink; write 2Gi or more, or set the "
        "annotation resize-statefulset-operator/on-smaller=keep to have smaller sizes passed over"
    )


def test_bigger_and_smaller_mixed_are_taken_and_kept_where_that_is_allowed() -> None:
    """With `keep` the bigger size becomes a wish, and the smaller one is only noted."""
    old = reviewed_set({"data": "10Gi", "log": "2Gi"})
    new = reviewed_set({"data": "20Gi", "log": "1Gi"})

    left, noted = after(patch(old, new), KEEP)

    assert ["10Gi", "2Gi"] == left
    assert ("20Gi", "1Gi") == (noted["resize-0"], noted["declared-1"])
    assert "log: the size stays 2Gi, volumes never shrink" in said(patch(old, new), KEEP)


def test_a_set_overrides_the_setting_for_smaller_sizes() -> None:
    """The annotation `on-smaller` of the set itself holds, both ways."""
    old = reviewed_set({"data": "10Gi"})
    keeping = reviewed_set({"data": "5Gi"}, on_smaller="keep")
    denying = reviewed_set({"data": "5Gi"}, on_smaller="deny")

    assert review(patch(old, keeping), RULES).allowed
    assert not review(patch(old, denying), KEEP).allowed


@pytest.mark.parametrize("declared", ["10Gi", "30Gi"])
def test_a_size_behind_the_live_one_is_kept(declared: str) -> None:
    """Git is behind a grown set: nothing is denied, the live size stays, and is said to stay."""
    old = reviewed_set({"data": "64Gi"}, declared_0="10Gi", status="Done: data=64Gi")
    new = reviewed_set({"data": declared}, declared_0="10Gi", status="Done: data=64Gi")

    expected = {"declared-0": declared, "status": "Done: data=64Gi"}
    assert (["64Gi"], expected) == after(patch(old, new))
    assert said(patch(old, new)) == (
        f"data: the size stays 64Gi, volumes never shrink; it has grown beyond {declared} since",
    )


def test_a_size_below_the_declared_one_is_denied_although_git_was_behind() -> None:
    """What is below what the manifests last said is a wish to shrink."""
    old = reviewed_set({"data": "64Gi"}, declared_0="10Gi")
    new = reviewed_set({"data": "5Gi"}, declared_0="10Gi")

    assert "5Gi is less than 10Gi" in review(patch(old, new), RULES).message


def test_another_spelling_is_no_change() -> None:
    """1024Mi is 1Gi."""
    old, new = reviewed_set({"data": "1Gi"}), reviewed_set({"data": "1024Mi"})

    assert Verdict() == review(patch(old, new), RULES)


@pytest.mark.parametrize(
    ("size", "annotations", "words"),
    [
        pytest.param("3000Gi", {"confirm": "3000Gi"}, "above the bound of 2000Gi", id="the bound"),
        pytest.param("20Gi", {"max_size": "15Gi"}, "above the bound of 15Gi", id="max-size"),
        pytest.param("200Gi", {}, "more than 10 times 10Gi", id="a step too big"),
    ],
)
def test_a_size_out_of_bounds_is_denied(size: str, annotations: dict[str, str], words: str) -> None:
    """The sentence is the one that the resizer would write into the status."""
    old, new = reviewed_set(**annotations), reviewed_set({"data": size}, **annotations)

    verdict = review(patch(old, new), RULES)

    assert "denied" == verdict.outcome
    assert f"resize-0 asks for {size}" in verdict.message
    assert words in verdict.message


def test_a_confirmed_step_is_taken() -> None:
    """The annotation `confirm` may come with the very request."""
    old, new = reviewed_set(), reviewed_set({"data": "200Gi"}, confirm="200Gi")

    assert "200Gi" == after(patch(old, new))[1]["resize-0"]


@pytest.mark.parametrize(
    "templates",
    [
        pytest.param([template("data", "20Gi"), template("new", "1Gi")], id="added"),
        pytest.param([], id="removed"),
        pytest.param([template("other", "20Gi")], id="renamed"),
        pytest.param([{**template("data", "20Gi"), "extra": 1}], id="changed"),
        pytest.param([template("data", "-5")], id="negative"),
        pytest.param([template("data", "1e2147483648")], id="unreadable"),
        pytest.param([{"metadata": {"name": "data"}}], id="without a size"),
        pytest.param([{**template("", "20Gi"), "metadata": {}}], id="without a name"),
    ],
)
def test_what_only_the_api_server_can_refuse_is_left_to_it(templates: list[Json]) -> None:
    """Templates that differ in more than sizes are passed on as they are: its own words arrive."""
    old, new = reviewed_set(), reviewed_set()
    new["spec"]["volumeClaimTemplates"] = templates

    assert Verdict() == review(patch(old, new), RULES)


def test_reordered_templates_are_left_to_the_api_server() -> None:
    """Templates are told by name: another order is another spec."""
    old = reviewed_set({"data": "1Gi", "log": "2Gi"})
    new = reviewed_set({"log": "2Gi", "data": "1Gi"})

    assert Verdict() == review(patch(old, new), RULES)


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        pytest.param({"resize_0": "much"}, "resize-0: 'much' cannot be used", id="a wish"),
        pytest.param({"resize__data": "-1"}, "resize.data: '-1' cannot", id="a wish by name"),
        pytest.param({"auto_resize_0": "x"}, "auto-resize-0: 'x'", id="an automatic wish"),
        pytest.param({"declared_0": "x"}, "declared-0: 'x'", id="declared"),
        pytest.param({"declared_1": "1Gi"}, "declared-1 names no claim template", id="declared 1"),
        pytest.param({"auto_scaled": "yes"}, "auto-scaled is 'yes'; write true", id="auto-scaled"),
        pytest.param({"auto_steps_0": "x"}, "auto-steps-0 is 'x'; write times", id="steps"),
        pytest.param({"auto_steps_1": ""}, "auto-steps-1 names no claim", id="steps 1"),
        pytest.param({"grow_at": "80"}, "grow-at is '80'; write a share", id="no percent, no size"),
        pytest.param({"grow_at": "120%"}, "grow-at is '120%'; write a share from 20%", id="120%"),
        pytest.param({"grow_at_inodes": "5Gi"}, "grow-at-inodes is '5Gi'", id="inodes"),
        pytest.param({"grow_by": "0%"}, "grow-by is '0%'; write power-of-two", id="no step"),
        pytest.param({"grow_min": "-1Gi"}, "grow-min is '-1Gi'; write a size", id="grow-min"),
        pytest.param({"grow_max": "all"}, "grow-max is 'all'; write a size", id="grow-max"),
        pytest.param({"cooldown": "800h"}, "cooldown is '800h'; write a time", id="cooldown"),
        pytest.param({"checks": "11"}, "checks is '11'; write a number from 1 to 10", id="checks"),
        pytest.param({"steps_per_day": "0"}, "steps-per-day is '0'; write", id="no steps"),
        pytest.param({"max_size": "x"}, "max-size: 'x'", id="max-size"),
        pytest.param({"confirm": "x"}, "confirm: 'x'", id="confirm"),
        pytest.param({"paused": "1"}, "paused is '1'; write true or false", id="paused"),
        pytest.param({"recreate": "no"}, "recreate is 'no'", id="recreate"),
        pytest.param({"on_smaller": "x"}, "on-smaller is 'x'; write deny or keep", id="smaller"),
        pytest.param({"when_deleted": "x"}, "when-deleted is 'x'", id="when-deleted"),
        pytest.param({"resize_7": "20Gi"}, "resize-7 names no claim template", id="out of range"),
        pytest.param({"resize__x": "20Gi"}, "resize.x names no claim template", id="unknown"),
        pytest.param({"resize_0": "3000Gi"}, "above the bound", id="over the bound"),
    ],
)
@pytest.mark.parametrize("operation", ["create", "update"])
def test_a_bad_annotation_is_denied(
    annotations: dict[str, str], words: str, operation: str
) -> None:
    """With the key's name and what to write, on each way into the cluster."""
    new = reviewed_set(**annotations)
    request = create(new) if operation == "create" else patch(reviewed_set(), new)

    verdict = review(request, RULES)

    assert not verdict.allowed
    assert words in verdict.message


@pytest.mark.parametrize(
    "annotations",
    [
        {"resize_0": "20Gi"},
        {"resize__data": "20Gi"},
        {"auto_resize_0": "900Gi"},
        {"max_size": "1Ti"},
        {"auto_scaled": "true"},
        {"auto_steps_0": "2026-11-01T12:00:00Z,2026-11-01T13:00:00Z"},
        {"grow_at": "80%, 5Gi"},
        {"grow_at_inodes": "90%"},
        {"grow_by": "power-of-two"},
        {"grow_min": "1Gi"},
        {"grow_max": "100Gi"},
        {"cooldown": "0"},
        {"checks": "1"},
        {"steps_per_day": "24"},
        {"on_smaller": "keep"},
        {"recreate": "false"},
        {"paused": "true"},
        {"confirm": "1Ti"},
        {"when_deleted": "Delete"},
        {"declared_0": "10Gi"},
        {"status": "Done: data=10Gi"},
    ],
    ids=lambda each: next(iter(each)),
)
def test_a_good_annotation_passes(annotations: dict[str, str]) -> None:
    """A valid annotation stays as it is, without a warning."""
    new = reviewed_set(**annotations)

    request = patch(reviewed_set(), new)

    assert own(new).items() <= after(request)[1].items()
    assert said(request) == ()


def test_an_unknown_key_of_ours_is_only_warned_of() -> None:
    """Versions differ: what this one does not know may be another's."""
    new = reviewed_set(grow_faster="1")

    verdict = review(patch(reviewed_set(), new), RULES)

    assert verdict.allowed
    assert verdict.warnings == (
        "the annotation resize-statefulset-operator/grow-faster is unknown to this version",
    )


def test_a_fault_that_stands_denies_nobody_else() -> None:
    """A set that stands with a bad annotation can be changed, and its fault mended."""
    old = reviewed_set(paused="1", max_size="x", status="Blocked: Malformed: paused")
    mended = reviewed_set(max_size="x", paused="true", status="Blocked: Malformed: paused")

    assert Verdict() == review(patch(old, old), RULES)
    assert review(patch(old, mended), RULES).allowed


def test_a_wish_of_a_person_waits_like_one_of_a_manifest() -> None:
    """A wish by annotation is noted as waiting; the template and its declared size stay."""
    new = reviewed_set(resize_0="20Gi")

    expected = {"resize-0": "20Gi", "status": WAITING}
    assert (["10Gi"], expected) == after(patch(reviewed_set(), new))


def test_a_satisfied_wish_says_nothing() -> None:
    """A wish at or below the template is inert."""
    new = reviewed_set(resize_0="5Gi")

    assert Verdict() == review(patch(reviewed_set(), new), RULES)


@pytest.mark.parametrize("send", [patch, put, apply])
def test_the_same_manifest_again_changes_nothing(send: Any) -> None:  # noqa: ANN401  as above
    """A second apply of the bigger size ends in the very set that is stored."""
    old, new = reviewed_set(**PENDING), reviewed_set({"data": "20Gi"}, **PENDING)
    if send is put:
        new = reviewed_set({"data": "20Gi"})

    left = after(send(old, new))

    assert (sizes(old), own(old)) == left


@pytest.mark.parametrize("send", [put, apply, client_apply])
@pytest.mark.parametrize("status", [WAITING, "Blocked: NoClass: no class", "", "Done: data=10Gi"])
def test_the_old_size_again_withdraws_a_wish_that_is_not_begun(send: Any, status: str) -> None:  # noqa: ANN401  as above
    """Wish, declared size and status go, and the person is told."""
    old = reviewed_set(**{**PENDING, "status": status})
    new = reviewed_set(**({} if send is put else {**PENDING, "status": status}))

    request = send(old, new)

    assert (["10Gi"], {}) == after(request)
    assert said(request) == ("data: the wish for 20Gi is withdrawn; the size stays 10Gi",)


@pytest.mark.parametrize("send", [put, apply])
@pytest.mark.parametrize("status", ["Growing: data=20Gi", "Waiting: NotQuiet: Pod db-0 is going"])
def test_the_old_size_again_does_not_end_what_is_under_way(send: Any, status: str) -> None:  # noqa: ANN401  as above
    """The wish stands, also where a PUT dropped it; the declared size is noted; a warning tells."""
    old = reviewed_set(**{**BEGUN, "status": status})
    new = reviewed_set() if send is put else old

    expected = {"resize-0": "20Gi", "declared-0": "10Gi", "status": status}
    assert (["10Gi"], expected) == after(send(old, new))
    assert said(send(old, new)) == (
        "data: growing from 10Gi to 20Gi is under way and goes on; volumes never shrink; " + WATCH,
    )


@pytest.mark.parametrize("annotations", [PENDING, BEGUN])
def test_a_change_of_something_else_withdraws_nothing(annotations: dict[str, str]) -> None:
    """An image update by a patch, or by a PUT of what was read, leaves the wish alone."""
    old = reviewed_set(**annotations)

    assert Verdict() == review(patch(old, old), RULES)
    assert Verdict() == review(put(old, old), RULES)


def test_a_wish_of_a_person_is_not_withdrawn_by_a_manifest() -> None:
    """Only what a manifest said can be taken back by it: a person's wish has no declared size."""
    old = reviewed_set(resize_0="20Gi", status=WAITING)

    assert Verdict() == review(apply(old, old), RULES)


def test_a_manifest_that_has_caught_up_declares_nothing() -> None:
    """When Git says the live size the note of the older one goes."""
    old = reviewed_set({"data": "64Gi"}, declared_0="10Gi", status="Done: data=64Gi")

    left = after(apply(old, old))

    assert (["64Gi"], {"status": "Done: data=64Gi"}) == left


def test_a_smaller_manifest_replaces_a_wish_that_is_not_begun() -> None:
    """A mistaken 90Gi is corrected to 20Gi while nothing has been done."""
    wish = {"resize_0": "90Gi", "declared_0": "90Gi", "status": "Waiting: data=90Gi"}
    old, new = reviewed_set(**wish), reviewed_set({"data": "20Gi"}, **wish)

    left = after(patch(old, new))[1]

    assert {"resize-0": "20Gi", "declared-0": "20Gi", "status": WAITING} == left


@pytest.mark.parametrize("dropped", [False, True])
def test_a_smaller_manifest_does_not_replace_a_wish_under_way(dropped: bool) -> None:  # noqa: FBT001  a table
    """The larger wish stands, since claims may have grown; it is put back where a PUT drops it."""
    wish = {"resize_0": "90Gi", "declared_0": "90Gi", "status": "Growing: data=90Gi"}
    old = reviewed_set(**wish)
    new = reviewed_set({"data": "20Gi"}, **({} if dropped else wish))

    expected = {"resize-0": "90Gi", "declared-0": "20Gi", "status": "Growing: data=90Gi"}
    assert (["10Gi"], expected) == after(put(old, new))
    assert said(put(old, new)) == ("data: the wish for 90Gi, more than 20Gi, stands",)


def test_a_bigger_wish_of_a_person_stands_above_a_manifest() -> None:
    """What a person annotated is not lowered by a smaller template."""
    old = reviewed_set(resize_0="50Gi")
    new = reviewed_set({"data": "20Gi"}, resize_0="50Gi")

    left = after(patch(old, new))[1]

    assert ("50Gi", "20Gi") == (left["resize-0"], left["declared-0"])


def test_a_kept_size_keeps_the_wish_under_way() -> None:
    """A PUT with a smaller size and without our annotations cannot drop what is under way."""
    old, new = reviewed_set(**BEGUN), reviewed_set({"data": "5Gi"})

    left = after(put(old, new), KEEP)

    expected = {"resize-0": "20Gi", "declared-0": "5Gi", "status": "Growing: data=20Gi"}
    assert (["10Gi"], expected) == left


def test_a_set_is_created_with_its_own_wish() -> None:
    """The template is made true at once, and the manifest's size is noted as the declared one."""
    new = reviewed_set({"data": "10Gi", "log": "1Gi"}, resize__data="20Gi", resize_1="1Gi")

    left, noted = after(create(new))

    assert ["20Gi", "1Gi"] == left
    assert {"resize.data": "20Gi", "resize-1": "1Gi", "declared-0": "10Gi"} == noted
    assert said(create(new)) == (
        "data: created with 20Gi, as the set's own wish says, instead of 10Gi",
    )


def test_a_created_set_keeps_what_it_says_was_declared() -> None:
    """A set that is restored from elsewhere knows better what its manifests said."""
    new = reviewed_set(resize_0="20Gi", declared_0="5Gi")

    assert "5Gi" == after(create(new))[1]["declared-0"]


def test_a_template_over_the_bound_is_created() -> None:
    """Bounds judge wishes, never a template that stands."""
    assert Verdict() == review(create(reviewed_set({"data": "3000Gi"})), RULES)


def test_templates_that_cannot_be_read_are_left_to_the_api_server() -> None:
    """Nothing is said of what no cluster would store."""
    new = reviewed_set(paused="true")
    new["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": 7}}]
    old = reviewed_set()
    old["spec"]["volumeClaimTemplates"] = [{"metadata": {}, "spec": template("", "1Gi")["spec"]}]

    assert Verdict() == review(create(new), RULES)
    assert Verdict() == review(patch(old, old), RULES)


def other_kind(request: Request) -> Request:
    return _changed(request, kind=Kind("apps", "v1", "Deployment"))


def other_part(request: Request) -> Request:
    return _changed(request, sub_resource="scale")


def going(request: Request) -> Request:
    return _changed(request, operation="DELETE")


def without_object(request: Request) -> Request:
    return _changed(request, object=None)


def without_old_object(request: Request) -> Request:
    return _changed(request, old_object=None)


def _changed(request: Request, **changes: Any) -> Request:  # noqa: ANN401  any field
    from msgspec.structs import replace  # noqa: PLC0415  only here

    return replace(request, **changes)


@pytest.mark.parametrize(
    "change", [other_kind, other_part, going, without_object, without_old_object]
)
def test_what_is_not_about_a_set_passes(change: Any) -> None:  # noqa: ANN401  changes a request
    """Anything else is allowed as it is."""
    bigger = put(reviewed_set(), reviewed_set({"data": "20Gi"}))

    assert Verdict() == review(change(bigger), RULES)


def test_a_set_that_goes_passes() -> None:
    """Nothing stands in the way of a deletion, such as a finalizer that is removed."""
    new = reviewed_set({"data": "5Gi"})
    new["metadata"]["deletionTimestamp"] = "2026-11-01T12:00:00Z"

    assert Verdict() == review(patch(reviewed_set(), new), RULES)
