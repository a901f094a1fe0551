"""Claims that may not grow: nothing is written at all, and the set is never deleted (O10)."""

from collections.abc import Iterator

import pytest

from testbed.csi.volumes import DRIVER_NAME
from tests.cluster.refusals import Refused, check_refused
from tests.support.fixtures import Run
from tests.support.sets import Json, Sets


def own_class(sets: Sets, *, expandable: bool) -> None:
    """Make a storage class named like the namespace."""
    sets.cluster.apply(
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": sets.namespace},
            "provisioner": DRIVER_NAME,
            "allowVolumeExpansion": expandable,
            "parameters": {"nodeExpansion": "false"},
        }
    )


def drop_class(sets: Sets) -> None:
    sets.cluster.delete("storageclass", sets.namespace)


def quota(sets: Sets, **hard: str) -> None:
    """Set the namespace's quota and wait until it counts."""
    manifest: Json = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": hard},
    }
    sets.cluster.apply(manifest, sets.namespace)

    def counts() -> bool:
        found = sets.cluster.get("resourcequota", "small", sets.namespace) or {}
        status = found.get("status", {})
        return bool(status.get("hard") == hard and status.get("used", {}).keys() == hard.keys())

    sets.wait(counts, "the quota counts")


def limit_range(sets: Sets, most: str) -> None:
    manifest: Json = {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "limits"},
        "spec": {"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": most}}]},
    }
    sets.cluster.apply(manifest, sets.namespace)


def volumes_without_class(sets: Sets) -> None:
    """Make volumes that bind to the claims of `db` by name."""
    for ordinal in range(2):
        claim = {"namespace": sets.namespace, "name": f"data-db-{ordinal}"}
        spec: Json = {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "claimRef": claim,
            "hostPath": {"path": "/nowhere"},
            "persistentVolumeReclaimPolicy": "Retain",
        }
        name = f"{sets.namespace}-{ordinal}"
        sets.cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": name},
                "spec": spec,
            }
        )


def withdraw(sets: Sets) -> None:
    sets.annotate("db", resize_0=None)


PER_CLASS = "instant.storageclass.storage.k8s.io/requests.storage"

ROWS = [
    pytest.param(
        Refused(
            "Blocked: NotExpandable: the storage class {here} of claim data-db-0 does not allow "
            "expansion; if its driver can expand, set allowVolumeExpansion: true on the class",
            prepare=lambda sets: own_class(sets, expandable=False),
            cure=lambda sets: own_class(sets, expandable=True),
            storage_class="{here}",
        ),
        id="66 class that cannot expand",
    ),
    pytest.param(
        Refused(
            "Blocked: NotExpandable: claim data-db-0 names the storage class {here}, which does "
            "not exist; create the class again with allowVolumeExpansion: true",
            prepare=lambda sets: own_class(sets, expandable=True),
            forbid=drop_class,
            cure=lambda sets: own_class(sets, expandable=True),
            storage_class="{here}",
        ),
        id="66 class gone",
    ),
    pytest.param(
        Refused(
            "Blocked: NoClass: claim data-db-0 has no storage class, so Kubernetes cannot expand "
            "it; move its data to a claim that has a class, or remove the wish",
            prepare=volumes_without_class,
            cure=withdraw,
            end="Done: data=1Gi",
            storage_class="",
        ),
        id="66 no class",
    ),
    pytest.param(
        Refused(
            "Blocked: QuotaFull: all claims together need 2Gi more, but requests.storage of the "
            "quota small has 1536Mi left; raise the quota or lower the wish",
            prepare=lambda sets: quota(sets, **{"requests.storage": "3584Mi"}),
            cure=lambda sets: quota(sets, **{"requests.storage": "4Gi"}),
        ),
        id="67 quota too small for the whole set",
    ),
    pytest.param(
        Refused(
            "Blocked: QuotaFull: all claims together need 2Gi more, but "
            f"{PER_CLASS} of the quota small has 1536Mi left; raise the quota or lower the wish",
            prepare=lambda sets: quota(sets, **{PER_CLASS: "3584Mi"}),
            cure=lambda sets: quota(sets, **{PER_CLASS: "4Gi"}),
        ),
        id="67 quota of the class too small",
    ),
    pytest.param(
        Refused(
            "Blocked: QuotaFull: claim data-db-0 cannot grow to 2Gi within the namespace's quota: "
            '\'persistentvolumeclaims "data-db-0" is forbidden: exceeded quota: small, requested: '
            "requests.storage=1Gi, used: requests.storage=2Gi, limited: requests.storage=2560Mi'; "
            "raise the ResourceQuota or lower the wish",
            prepare=lambda sets: quota(sets, **{"requests.storage": "2560Mi"}),
            cure=lambda sets: quota(sets, **{"requests.storage": "4Gi"}),
        ),
        id="67 quota too small for one claim",
    ),
    pytest.param(
        Refused(
            "Blocked: AdmissionRefuses: the API server refuses 2Gi for claim data-db-0 with 403: "
            '\'persistentvolumeclaims "data-db-0" is forbidden: maximum storage usage per '
            "PersistentVolumeClaim is 1536Mi, but request is 2Gi'; change what refuses it, or "
            "lower the wish",
            prepare=lambda sets: limit_range(sets, "1536Mi"),
            cure=lambda sets: limit_range(sets, "2Gi"),
        ),
        id="67 limit range",
    ),
]


@pytest.fixture
def tidy(sets: Sets) -> Iterator[None]:
    """Delete what a row made outside of its namespace."""
    yield
    drop_class(sets)
    for ordinal in range(2):
        sets.cluster.delete("persistentvolume", f"{sets.namespace}-{ordinal}")


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize("row", ROWS)
def test_a_refused_claim_keeps_the_set_in_place(sets: Sets, run: Run, row: Refused) -> None:
    """While one claim may not grow nothing is written, and the resize goes on once it may."""
    check_refused(sets, run, row)
