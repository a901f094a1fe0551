"""Pods read for their mounts only, and the index of who mounts which claim."""

import json
from typing import Any

import pytest

from rso.app.mounts import Mount, MountIndex, MountingPod, decode, subject_of
from tests.factories import claim

OWNER = {"kind": "StatefulSet", "name": "db", "uid": "uid-of-set", "controller": True}


def pod(name: str = "db-0", **changes: Any) -> MountingPod:  # noqa: ANN401  any part of a Pod
    """Return a Pod as it is decoded; `owners` and `phase` may differ."""
    body = {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-of-{name}",
            "ownerReferences": changes.get("owners", [OWNER]),
        },
        "spec": {
            "nodeName": "node-1",
            "volumes": [
                {"name": "data", "persistentVolumeClaim": {"claimName": f"data-{name}"}},
                {"name": "raw", "persistentVolumeClaim": {"claimName": f"raw-{name}"}},
                {"name": "token", "projected": {}},
            ],
            "containers": [
                {"name": "helper"},
                {"name": "main", "volumeMounts": [{"name": "data", "mountPath": "/var/data"}]},
            ],
        },
        "status": {"phase": changes.get("phase", "Running"), "hostIP": "10.0.0.7"},
    }
    return decode(json.dumps(body).encode())


def test_a_pod_of_a_set_has_its_claims_with_a_place_to_look_at() -> None:
    """The first container that sees a volume and its path; a raw device has no place."""
    found = pod()

    assert ("uid-of-set", "node-1", "10.0.0.7") == (found.set_uid, found.node, found.host_ip)
    assert (Mount("data-db-0", "main", "/var/data"), Mount("raw-db-0")) == found.mounts


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"owners": []}, id="no owner"),
        pytest.param({"owners": [{**OWNER, "controller": False}]}, id="no controller"),
        pytest.param({"owners": [{**OWNER, "kind": "Job"}]}, id="another kind"),
        pytest.param({"phase": "Failed"}, id="ended"),
    ],
)
def test_other_pods_mount_nothing(changes: dict[str, Any]) -> None:
    """A Pod that is of no set, or has ended, is of no use."""
    assert not pod(**changes).has_mounts


def test_the_index_follows_pods() -> None:
    """A Pod is found by its claims and its set, as long as it is there."""
    index, first, second = MountIndex(), pod(), pod("db-1")
    index.change(None, first)
    index.change(None, second)
    mine = claim("data-db-0")
    found = index.of(mine, "uid-of-set"), index.of(mine, "another")
    index.change(first, None)

    assert ((first,), ()) == found
    assert () == index.of(mine, "uid-of-set")


def test_a_subject_says_whom_to_ask() -> None:
    """Claim and Pod with their uids, the node and its address, and where to run `df`."""
    mine = claim("data-db-0")

    asked = subject_of(mine, pod())

    assert (mine.metadata.uid, "uid-of-db-0") == (asked.claim_uid, asked.pod_uid)
    assert ("node-1", "10.0.0.7") == (asked.node, asked.host_ip)
    assert ("main", "/var/data") == (asked.container, asked.mount_path)
