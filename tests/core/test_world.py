"""What the caches hold, and how long an answer counts."""

import msgspec
import pytest

from rso.core.model import (
    Claim,
    Labels,
    OwnAnnotations,
    StatefulSet,
    Volume,
    decode_hook,
)
from rso.core.names import Phase, Reason, is_ours
from rso.core.times import format_time, parse_time
from rso.core.world import Key, reaches
from tests.factories import (
    NOW,
    backup,
    claim,
    decoded,
    own,
    pod,
    pods,
    whole_set,
    with_answers,
    world,
)


@pytest.mark.parametrize(
    ("version", "other", "expected"),
    [
        ("100", "100", True),
        ("101", "100", True),
        ("99", "100", False),
        ("1000", "999", True),
        ("a7", "a7", True),
        ("a8", "a7", False),
        ("8", "a7", False),
        ("", "", True),
    ],
)
def test_versions_are_compared_as_numbers(version: str, other: str, expected: bool) -> None:  # noqa: FBT001  a table
    """A later version reaches an earlier one; what is no number reaches only itself."""
    assert expected == reaches(version, other)


def test_answers_about_an_absent_set_do_not_count() -> None:
    """Where no set lives, nothing known about one is current."""
    start = with_answers(world(), pods=pods())
    gone = with_answers(world(statefulset=None), pods=pods(), live=start.answers.live)

    assert (None, None, None) == (gone.pods(), gone.live(), gone.own_backup())
    assert gone.status == ""


def test_the_own_backup_is_that_of_the_living_uid() -> None:
    """Backups of other uids are not the set's own."""
    other = backup(name="b-2", statefulset_uid="x")

    assert backup() == world(backups=(other, backup())).own_backup()
    assert world(backups=(other,)).own_backup() is None


def test_a_key_is_written_as_people_do() -> None:
    """Namespace, a slash, the name."""
    assert "shop/db" == str(Key("shop", "db"))


def test_foreign_annotations_are_never_held() -> None:
    """Caches hold our annotations only: others may be large, or secret."""
    live = whole_set({"resize-0": "20Gi"}, metadata={"annotations": {"x": "secret"}})

    assert own({"resize-0": "20Gi"}) == decoded(live, StatefulSet).metadata.annotations


def test_wishes_are_our_annotations_without_the_status() -> None:
    """A status that is written changes no wish."""
    made = decoded(whole_set({"resize-0": "20Gi", "status": "Done: data=20Gi"}), StatefulSet)

    assert own({"resize-0": "20Gi"}) == made.wishes


def test_missing_maps_are_empty() -> None:
    """Null annotations and labels are none."""
    live = {"metadata": {"name": "c", "annotations": None, "labels": None}}
    found = msgspec.convert(live, Claim, dec_hook=decode_hook)

    assert ({}, {}) == (found.metadata.annotations, found.metadata.labels)


@pytest.mark.parametrize("value", [[], "x", {"a": 1}, {"a": None}])
@pytest.mark.parametrize("kind", [OwnAnnotations, Labels])
def test_maps_of_anything_else_are_refused(kind: type, value: object) -> None:
    """What is no map of strings is an error of decoding, not a surprise later."""
    with pytest.raises(TypeError):
        decode_hook(kind, value)


def test_conditions_count_while_they_are_true() -> None:
    """A condition is found by its type, and only when it holds."""
    conditions = [
        {"type": "Resizing", "status": "False"},
        {"type": "ControllerResizeError", "status": "True", "message": "no"},
    ]
    status = claim(status={"conditions": conditions}).status

    assert status.condition("Resizing") is None
    found = status.condition("ControllerResizeError")
    assert found is not None
    assert "no" == found.message


def test_a_pod_sums_its_restarts_and_says_if_it_is_ready() -> None:
    """All containers count; without the condition a Pod is not ready."""
    several = [{"name": "a", "restartCount": 2}, {"name": "b", "restartCount": 3}]
    made = pod(status={"containerStatuses": several, "conditions": []})

    assert (5, False) == (made.restarts, made.is_ready)
    assert (2, True) == (pod().restarts, pod().is_ready)


def test_a_volume_tells_its_size() -> None:
    """The real size is the volume's, none is zero."""
    made = decoded({"metadata": {"name": "v"}, "spec": {"capacity": {"storage": "9Gi"}}}, Volume)

    assert "9Gi" == made.capacity
    assert "0" == decoded({"metadata": {"name": "v"}}, Volume).capacity


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-01T12:00:00Z", "2026-11-01T12:00:00Z"),
        ("2026-11-01T14:00:00+02:00", "2026-11-01T12:00:00Z"),
        ("2026-11-01T12:00:00.999Z", "2026-11-01T12:00:00Z"),
        ("0001-01-01T00:00:00+23:00", None),
        ("2026-11-01T12:00:00", None),
        ("2026-11-01", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_times_are_aware_or_unknown(text: str, expected: str | None) -> None:
    """A time without zone, or no time at all, is unknown; all others are UTC."""
    found = parse_time(text)

    assert expected == (format_time(found) if found else None)


def test_a_written_time_is_read_back() -> None:
    """What we write we can read."""
    assert NOW == parse_time(format_time(NOW))


def test_reasons_and_phases_are_their_words() -> None:
    """The same word everywhere: no reason has a second spelling."""
    assert all(each.name.replace("_", "").lower() == each.value.lower() for each in Reason)
    assert {"deleting", "superseded"} == {each.value for each in Phase}


def test_our_keys_are_known_by_their_prefix() -> None:
    """Only a key that begins with our prefix is ours."""
    assert is_ours("resize-statefulset-operator/resize-0")
    assert not is_ours("x/resize-statefulset-operator/resize-0")
    assert not is_ours("resize-statefulset-operator")
