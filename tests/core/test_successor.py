"""The set that takes the place of the deleted one, byte for byte but for its sizes."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rso.core import successor
from tests.factories import (
    HELM,
    UID,
    Json,
    merged,
    own,
    owner_reference,
    whole_set,
)

SIZES = {"data": "20Gi"}
TWO = {"data": "10Gi", "log": "5Gi"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda each: (
        st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=5), each, max_size=3)
    ),
    max_leaves=8,
)


def created(live: Json, sizes: dict[str, str] | None = None) -> Json:
    """Return the body of the CREATE for a set."""
    return successor.successor(successor.saved_form(live), SIZES if sizes is None else sizes)


def sizes_of(body: Json) -> list[str]:
    templates = body["spec"]["volumeClaimTemplates"]
    return [each["spec"]["resources"]["requests"]["storage"] for each in templates]


@given(st.dictionaries(st.text(min_size=1, max_size=8), JSON, max_size=4))
def test_fields_that_nobody_knows_come_back(unknown: dict[str, Any]) -> None:
    """Whatever stands in spec, template and claim templates is given back as it was."""
    live = whole_set()
    live["spec"] = {**unknown, **live["spec"]}
    live["spec"]["template"] = {**unknown, **live["spec"]["template"]}
    claim_template = live["spec"]["volumeClaimTemplates"][0]
    claim_template["spec"] = {**unknown, **claim_template["spec"]}
    before = copy.deepcopy(live)

    body = created(live)

    assert before == live
    body["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] = "10Gi"
    assert before["spec"] == body["spec"]


def test_metadata_comes_back_but_for_what_the_server_sets() -> None:
    """Labels, annotations and owners stay; uid, versions, times and managers are made anew."""
    owner = owner_reference("u", "Database", "main")
    live = whole_set(metadata={"ownerReferences": [owner], "selfLink": "/x"})

    expected = {
        "name": "db",
        "namespace": "shop",
        "labels": {"team": "shop"},
        "ownerReferences": [owner],
        "annotations": {"note": "by hand", **own({"declared-0": "10Gi"})},
    }
    body = created(live)
    assert expected == body["metadata"]
    assert ("apps/v1", "StatefulSet") == (body["apiVersion"], body["kind"])
    assert "status" not in body


def test_traces_of_the_deletion_go() -> None:
    """The finalizers of the orphan delete and its times are not part of the new set."""
    live = whole_set(
        metadata={
            "finalizers": ["orphan", "foregroundDeletion"],
            "deletionTimestamp": "2026-11-01T12:00:00Z",
            "deletionGracePeriodSeconds": 0,
        }
    )

    kept = {"name", "namespace", "labels", "annotations"}
    assert kept == set(created(live)["metadata"])


def test_foreign_finalizers_come_back() -> None:
    """A finalizer that is not the platform's belongs to the set."""
    live = whole_set(metadata={"finalizers": ["orphan", "example.com/x"]})

    assert ["example.com/x"] == created(live)["metadata"]["finalizers"]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        pytest.param({"data": "20Gi"}, ["20Gi", "5Gi"], id="one template"),
        pytest.param({"data": "20Gi", "log": "6Gi"}, ["20Gi", "6Gi"], id="both"),
        pytest.param({}, ["10Gi", "5Gi"], id="none"),
        pytest.param({"other": "20Gi"}, ["10Gi", "5Gi"], id="one that is not there"),
    ],
)
def test_only_the_named_sizes_change(sizes: dict[str, str], expected: list[str]) -> None:
    """Templates are found by name; the others keep their size."""
    assert expected == sizes_of(created(whole_set({}, TWO), sizes))


def test_a_limit_beside_the_request_stays() -> None:
    """Only the request for storage is replaced."""
    live = whole_set()
    resources = live["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]
    resources["limits"] = {"storage": "1Ti"}
    resources["requests"]["other"] = "1"

    body = created(live)["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]
    assert {"limits": {"storage": "1Ti"}, "requests": {"storage": "20Gi", "other": "1"}} == body


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        pytest.param({}, "10Gi", id="the template's size is noted"),
        pytest.param({"declared-0": "8Gi"}, "8Gi", id="what the manifests said stays"),
    ],
)
def test_the_declared_size_is_kept(annotations: dict[str, str], expected: str) -> None:
    """The new set says what its manifests last said; nobody's word is overwritten."""
    body = created(whole_set(annotations))

    assert expected == body["metadata"]["annotations"]["resize-statefulset-operator/declared-0"]


def test_templates_that_stay_are_not_declared() -> None:
    """Only what changes has a size to remember."""
    body = created(whole_set({}, TWO), {"log": "6Gi"})

    declared = own({"declared-1": "5Gi"})
    assert {"note": "by hand", **declared} == body["metadata"]["annotations"]


@pytest.mark.parametrize("sizes", [SIZES, {}], ids=["with sizes", "without"])
def test_the_retention_policy_comes_back_from_its_note(sizes: dict[str, str]) -> None:
    """The policy is restored in the create, and the note goes, even when it is the only one."""
    live = whole_set(
        {"when-deleted": "Delete"},
        metadata={"annotations": {"note": None}},
        spec={
            "persistentVolumeClaimRetentionPolicy": {
                "whenDeleted": "Retain",
                "whenScaled": "Delete",
            }
        },
    )
    body = created(live, sizes)

    expected = {"whenDeleted": "Delete", "whenScaled": "Delete"}
    assert expected == body["spec"]["persistentVolumeClaimRetentionPolicy"]
    annotations = body["metadata"].get("annotations", {})
    assert "resize-statefulset-operator/when-deleted" not in annotations


def test_a_set_without_annotations_gets_none() -> None:
    """Where there is nothing to note, no empty map is sent."""
    live = whole_set(metadata={"annotations": None})

    assert "annotations" not in created(live, {})["metadata"]


def test_a_set_without_templates_stays_without() -> None:
    """No list of templates is made up."""
    live = whole_set(spec={"volumeClaimTemplates": None})

    assert "volumeClaimTemplates" not in created(live, {})["spec"]


def test_the_probe_bears_a_name_that_no_set_has() -> None:
    """The dry create is the same body under another name."""
    live = whole_set()
    body = successor.probe(live, SIZES)

    assert f"srb-probe-{UID[:8]}" == body["metadata"]["name"]
    assert created(live)["spec"] == body["spec"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, True, id="the same"),
        pytest.param({"metadata": {"labels": {"x": "y"}}}, True, id="metadata"),
        pytest.param({"spec": {"revisionHistoryLimit": 5}}, False, id="a default that differs"),
        pytest.param({"spec": {"replicas": 4}}, False, id="replicas"),
        pytest.param({"spec": {"template": {"metadata": {"labels": {"x": "y"}}}}}, False, id="Pod"),
        pytest.param({"spec": {"volumeClaimTemplates": []}}, False, id="no templates"),
    ],
)
def test_a_dry_create_must_give_back_the_spec(changes: Json, expected: bool) -> None:  # noqa: FBT001  a table
    """A spec that would be stored in another form might restart Pods."""
    live = whole_set()
    answer = merged(successor.probe(live, SIZES), changes)

    assert expected == successor.is_proven(live, answer, SIZES)


def test_null_members_are_no_difference() -> None:
    """Encoders differ in writing `creationTimestamp: null`."""
    live = whole_set()
    answer = successor.probe(live, SIZES)
    template = answer["spec"]["template"]
    answer["spec"]["template"] = {
        **template,
        "metadata": {**template["metadata"], "creationTimestamp": None},
        "spec": {**template["spec"], "volumes": None, "list": [{"a": None}]},
    }
    live["spec"]["template"]["spec"]["list"] = [{}]

    assert successor.is_proven(live, answer, SIZES)


def test_a_backup_keeps_all_but_what_the_server_makes() -> None:
    """Managers are kept, so that they can be restored; status is not."""
    form = successor.saved_form(whole_set())

    assert HELM in form["metadata"]["managedFields"]
    assert "status" not in form
    assert "uid" not in form["metadata"]


def test_every_size_may_differ_in_our_own_successor() -> None:
    """A second resize right after the first does not hide whose set it is."""
    saved = successor.saved_form(whole_set())
    ours = {
        "manager": "resize-statefulset-operator",
        "fieldsV1": {"f:spec": {"f:volumeClaimTemplates": {}}},
    }
    live = whole_set({}, {"data": "99Gi"}, metadata={"uid": "new"})
    live["metadata"]["managedFields"] = [ours]

    assert successor.is_our_successor(saved, live, SIZES)
    assert not successor.is_our_successor(saved, whole_set(), SIZES)
