"""What is really sent: only our fields, and versions where a stale view must not win."""

from datetime import datetime, timedelta, timezone

import pytest

from rso.core import bodies
from rso.core.actions import GrowClaim, RestorePolicy, SetRetain, SetStatus
from tests.factories import HELM, NOW, Json, own

LIVE: Json = {
    "metadata": {
        "resourceVersion": "7",
        "ownerReferences": [{"uid": "a", "name": "db"}, {"uid": "b", "extra": 1}],
    }
}


@pytest.mark.parametrize(
    ("expected", "body"),
    [
        pytest.param(
            {
                "metadata": {
                    "resourceVersion": "50",
                    "annotations": own({"grown-at": "2026-11-01T12:00:00Z"}),
                },
                "spec": {"resources": {"requests": {"storage": "20Gi"}}},
            },
            bodies.grow_claim(GrowClaim("data-db-0", "50", "10Gi", "20Gi"), NOW),
            id="a claim grows and says when",
        ),
        pytest.param(
            {
                "metadata": {"resourceVersion": "50"},
                "spec": {"resources": {"requests": {"storage": "20Gi"}}},
            },
            bodies.dry_growth("50", "20Gi"),
            id="asked dry, nothing is stamped",
        ),
        pytest.param(
            {"metadata": {"uid": "u", "resourceVersion": "100", "annotations": {"key": "16Gi"}}},
            bodies.automatic_wish({"key": "16Gi"}, "u", "100"),
            id="a wish of the set as it was judged",
        ),
        pytest.param(
            {"metadata": {"uid": "u", "annotations": own({"status": "Done: data=20Gi"})}},
            bodies.set_status(SetStatus("Done: data=20Gi"), "u"),
            id="the status of this uid",
        ),
        pytest.param(
            {"metadata": {"uid": "u", "annotations": {"resize-statefulset-operator/status": None}}},
            bodies.set_status(SetStatus(""), "u"),
            id="an empty status goes",
        ),
        pytest.param(
            {
                "metadata": {
                    "resourceVersion": "100",
                    "annotations": own({"when-deleted": "Delete"}),
                },
                "spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain"}},
            },
            bodies.set_retain(SetRetain("100")),
            id="the policy and its note in one request",
        ),
        pytest.param(
            {
                "metadata": {"resourceVersion": "100"},
                "spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}},
            },
            bodies.restore_policy(RestorePolicy("Delete", "100")),
            id="the policy back, its note stays",
        ),
        pytest.param(
            {
                "metadata": {
                    "resourceVersion": "101",
                    "annotations": {"resize-statefulset-operator/when-deleted": None},
                    "managedFields": [{"manager": "helm"}],
                }
            },
            bodies.policy_restored([{"manager": "helm"}], "101"),
            id="the note away together with the field",
        ),
        pytest.param(
            {
                "metadata": {
                    "resourceVersion": "101",
                    "annotations": {"resize-statefulset-operator/when-deleted": None},
                }
            },
            bodies.policy_restored(None, "101"),
            id="the note away, no field to give",
        ),
        pytest.param(
            [{}],
            bodies.policy_restored([], "101")["metadata"]["managedFields"],
            id="the note away, no managers at all",
        ),
        pytest.param(
            {
                "metadata": {
                    "resourceVersion": "7",
                    "ownerReferences": [{"uid": "b", "extra": 1}],
                }
            },
            bodies.owner_references(LIVE, ("a", "x")),
            id="other references stay as they are",
        ),
        pytest.param(
            {"metadata": {"resourceVersion": "7", "ownerReferences": None}},
            bodies.owner_references(LIVE, ("a", "b")),
            id="the last reference takes the list along",
        ),
        pytest.param(
            {"metadata": {"resourceVersion": "7", "ownerReferences": None}},
            bodies.owner_references({"metadata": {"resourceVersion": "7"}}, ("a",)),
            id="no references",
        ),
        pytest.param(
            {"metadata": {"resourceVersion": "9", "managedFields": [HELM]}},
            bodies.managed_fields([HELM], "9"),
            id="managers",
        ),
        pytest.param(
            {"metadata": {"resourceVersion": "9", "managedFields": [{}]}},
            bodies.managed_fields([], "9"),
            id="no managers at all",
        ),
        pytest.param(
            {
                "metadata": {
                    "resourceVersion": "70",
                    "labels": own({"phase": "deleting"}),
                    "annotations": own({"attempt": "x1"}),
                }
            },
            bodies.backup_deleting("70", "x1"),
            id="a set may be absent from here on",
        ),
        pytest.param(
            {
                "metadata": {
                    "resourceVersion": "70",
                    "labels": own({"phase": "superseded"}),
                    "annotations": own(
                        {"superseded-at": "2026-11-01T12:00:00Z", "successor": "new"}
                    ),
                }
            },
            bodies.backup_superseded("70", NOW, "new"),
            id="our successor is there",
        ),
        pytest.param(
            None,
            bodies.backup_superseded("70", NOW, "")["metadata"]["annotations"][
                "resize-statefulset-operator/successor"
            ],
            id="somebody else took the name",
        ),
    ],
)
def test_a_request_says_no_more_than_it_must(expected: object, body: object) -> None:
    """Each body is exactly this: nothing of the set beside our fields (O8)."""
    assert expected == body


def test_times_are_written_in_utc() -> None:
    """A time in another zone is the same moment on the claim."""
    local = datetime(2026, 11, 1, 14, 0, 0, 900, tzinfo=timezone(timedelta(hours=2)))
    body = bodies.grow_claim(GrowClaim("c", "1", "1Gi", "2Gi"), local)

    assert own({"grown-at": "2026-11-01T12:00:00Z"}) == body["metadata"]["annotations"]
