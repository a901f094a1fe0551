"""Who manages which field of the new set."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rso.core import managers
from tests.factories import CONTROLLER, HELM, Json

P = "f:resize-statefulset-operator/"


def ours(*keys: str, spec: bool = False, operation: str = "Update") -> Json:
    """Return our entry with these annotations; `spec` as a create leaves it."""
    fields: Json = {"f:metadata": {"f:annotations": {f"{P}{key}": {} for key in keys}}}
    if spec:
        fields["f:spec"] = {"f:volumeClaimTemplates": {}, "f:replicas": {}}
    return {
        "manager": "resize-statefulset-operator",
        "operation": operation,
        "apiVersion": "apps/v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }


CREATED = ours("status", "resize-0", "declared-0", "when-deleted", spec=True)
KUBECTL: Json = {"manager": "kubectl-edit", "operation": "Update", "apiVersion": "apps/v1"}
SCALER: Json = {**KUBECTL, "manager": "hpa", "subresource": "scale"}


def test_every_manager_comes_back() -> None:
    """The saved managers are those of the new set; ours keeps our annotations only."""
    found = managers.restored([HELM, KUBECTL, SCALER, CONTROLLER], [CREATED])

    assert [HELM, KUBECTL, SCALER, ours("status", "declared-0")] == found
    assert managers.is_restored([HELM, KUBECTL, SCALER, CONTROLLER], found)


def test_a_later_apply_keeps_its_word() -> None:
    """A manager that wrote since keeps its entry; its saved one is the older word."""
    newer = {**HELM, "time": "2026-11-01T12:00:01Z", "fieldsV1": {"f:spec": {"f:x": {}}}}

    assert [newer, KUBECTL] == managers.restored([HELM, KUBECTL], [newer])
    other = {**KUBECTL, "manager": "argocd"}
    assert [other, HELM] == managers.restored([HELM], [other])


def test_the_controller_s_entry_of_status_stays() -> None:
    """Status entries are the live ones: the saved ones are of the old object."""
    older = {**CONTROLLER, "time": "2020-01-01T00:00:00Z"}

    assert [CONTROLLER, HELM] == managers.restored([HELM, older], [CONTROLLER, CREATED])[:2]


@pytest.mark.parametrize(
    "changes",
    [
        {"manager": "helm2"},
        {"operation": "Update"},
        {"apiVersion": "apps/v1beta1"},
        {"subresource": "scale"},
    ],
)
def test_managers_are_told_apart_as_kubernetes_does(changes: Json) -> None:
    """Name, operation, version and subresource make a manager."""
    live = {**HELM, **changes}

    assert not managers.is_restored([HELM], [live])
    assert managers.is_restored([HELM], [HELM, live])


def test_a_create_of_ours_is_not_restored() -> None:
    """As long as our entry holds fields of the spec, the next apply would conflict."""
    assert not managers.is_restored([], [CREATED])
    assert managers.is_restored([], [ours("status")])
    assert managers.is_restored([], [])
    assert managers.is_restored([ours("status")], [])


def test_nobody_but_us_leaves_no_entry_behind() -> None:
    """Without annotations of ours there is nothing to keep."""
    assert [] == managers.restored([], [ours("resize-0", "when-deleted", spec=True)])
    assert [HELM] == managers.restored([HELM], [ours("when-deleted", operation="Apply")])


def test_our_annotations_of_before_are_still_ours() -> None:
    """What we wrote on the old set we manage on the new one, in one entry."""
    found = managers.restored([ours("status"), ours("declared-1")], [ours("declared-0", spec=True)])

    assert [ours("status", "declared-1", "declared-0")] == found


def test_our_own_entry_is_cut_to_our_annotations() -> None:
    """After a PATCH of the policy our entry gives its part of the spec back."""
    policy: Json = {"f:persistentVolumeClaimRetentionPolicy": {"f:whenDeleted": {}}}
    entry = ours("status", "when-deleted")
    entry["fieldsV1"]["f:spec"] = policy

    assert [HELM, ours("status")] == managers.trimmed([entry, HELM])
    assert managers.trimmed([ours("status"), HELM]) is None


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param(CREATED, True, id="our create"),
        pytest.param(ours("status"), False, id="our annotation"),
        pytest.param({**CREATED, "manager": "kubectl"}, False, id="somebody else's create"),
        pytest.param({"manager": "resize-statefulset-operator"}, False, id="no fields"),
    ],
)
def test_our_create_is_known_by_the_claim_templates(entry: Json, expected: bool) -> None:  # noqa: FBT001  a table
    """Nobody else's request gives our manager the claim templates."""
    assert expected == managers.our_entry_owns_templates([HELM, entry])


def test_times_and_order_of_managers_do_not_matter() -> None:
    """Two sets are compared by who manages what, not by when."""
    later = {**HELM, "time": "2030-01-01T00:00:00Z"}

    assert managers.without_times([HELM, KUBECTL]) == managers.without_times(
        [KUBECTL, CONTROLLER, later]
    )


ENTRIES = st.lists(
    st.sampled_from([HELM, KUBECTL, SCALER, CONTROLLER, CREATED, ours("status")]),
    unique_by=lambda each: (each["manager"], each.get("subresource")),
)


@given(ENTRIES, ENTRIES)
def test_restoring_once_is_enough(saved: list[Json], live: list[Json]) -> None:
    """Whoever wrote before and since: after one restore nothing is left to restore."""
    once = managers.restored(saved, live)

    assert managers.is_restored(saved, once)
    assert managers.trimmed(once) is None
    assert once == managers.restored(saved, once)
