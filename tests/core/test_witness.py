"""The witness: the newest ControllerRevision says what the Pods run (safety T3, T4)."""

import pytest

from rso.core import successor
from tests.factories import UID, Json, whole_set


def revision(number: int, template: Json, uid: str = UID) -> Json:
    """Return a ControllerRevision as the API server sends it."""
    return {
        "metadata": {
            "name": f"{NAME}-{number}",
            "ownerReferences": [{"uid": uid, "controller": True}],
        },
        "revision": number,
        "data": {"spec": {"template": {**template, "$patch": "replace"}}},
    }


def left(number: int, template: Json, name: str = "") -> Json:
    """Return a ControllerRevision after the orphan delete of its set."""
    orphaned = revision(number, template)
    orphaned["metadata"] = {"name": name or f"{NAME}-{number}"}
    return orphaned


NAME = whole_set()["metadata"]["name"]
TEMPLATE = whole_set()["spec"]["template"]
OTHER: Json = {"spec": {"containers": []}}


@pytest.mark.parametrize(
    ("revisions", "expected"),
    [
        pytest.param([revision(1, TEMPLATE)], True, id="the only one"),
        pytest.param([revision(10, TEMPLATE), revision(9, OTHER)], True, id="the newest by number"),
        pytest.param([revision(1, TEMPLATE), revision(2, OTHER)], False, id="only an older one"),
        pytest.param([revision(1, OTHER)], False, id="another template"),
        pytest.param([revision(1, TEMPLATE, "other")], False, id="of another set"),
        pytest.param(
            [revision(1, TEMPLATE), revision(2, OTHER, "other")], True, id="others do not count"
        ),
        pytest.param([{"metadata": {}, "revision": 1}], False, id="without owner"),
        pytest.param([{**revision(1, TEMPLATE), "data": {}}], False, id="without data"),
        pytest.param([], False, id="none"),
    ],
)
def test_the_newest_revision_is_the_witness(revisions: list[Json], expected: bool) -> None:  # noqa: FBT001  a table
    """What the StatefulSet controller itself last rolled out equals the Pod template (T3)."""
    assert expected == successor.is_witnessed(whole_set(), revisions)


def test_an_owner_that_does_not_control_is_no_witness() -> None:
    """Anybody may name an owner; only the controller's revisions count."""
    forged = revision(1, TEMPLATE)
    forged["metadata"]["ownerReferences"][0]["controller"] = False

    assert not successor.is_witnessed(whole_set(), [forged])


@pytest.mark.parametrize(
    ("revisions", "expected"),
    [
        pytest.param([left(1, TEMPLATE)], True, id="orphaned"),
        pytest.param([revision(1, TEMPLATE)], True, id="not orphaned yet"),
        pytest.param([left(2, OTHER), left(1, TEMPLATE)], False, id="a newer one differs"),
        pytest.param([left(1, OTHER), left(2, TEMPLATE)], True, id="an older one differs"),
        pytest.param([left(2, OTHER, "cache-7f"), left(1, TEMPLATE)], True, id="of another set"),
        pytest.param(
            [revision(2, OTHER, "other"), left(1, TEMPLATE)], True, id="adopted by another"
        ),
        pytest.param([], True, id="none left: in doubt the set comes back"),
    ],
)
def test_the_newest_revision_left_may_contradict(revisions: list[Json], expected: bool) -> None:  # noqa: FBT001  a table
    """An older backup that was put back is told by a newer revision, whoever owns that (T4)."""
    form = successor.saved_form(whole_set())

    assert expected == successor.is_left_witnessed(form, UID, revisions)
