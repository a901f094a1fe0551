"""The whole way on real file systems: one apply of a bigger manifest, and nothing else to do."""

import json

from testbed.cluster import Cluster
from tests.node.database import MIB, database, filesystem_bytes, journal, wait_more_records
from tests.support.fixtures import Run
from tests.support.reviewers import kubectl, serving, settings_of
from tests.support.sets import Sets, Snapshot, check_unharmed, template_sizes

SMALL = {"data": ("xfs", "300Mi"), "logs": ("btrfs", "128Mi")}
BIG = {"data": ("xfs", "1Gi"), "logs": ("btrfs", "512Mi")}
GROWN_MIB = {"data": 950, "logs": 512}  # xfs keeps a log of 64 MiB for itself
ALL = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}


def test_one_apply_ends_with_every_file_system_grown(
    sets: Sets, run: Run, cluster: Cluster, operator_namespace: str
) -> None:
    """Six volumes of three Pods grow while they write, by a plain `kubectl apply`."""
    account = cluster.service_account(operator_namespace, cluster_rules=[ALL])
    settings = settings_of(
        cluster, sets.namespace, operator_namespace, resizer_user=account.username
    )
    sets.make(database(volumes=SMALL, replicas=3))
    before = Snapshot.of(sets, "db")
    bigger = json.dumps(database(volumes=BIG, replicas=3))

    with serving(cluster, settings), run(kubeconfig=account.kubeconfig):
        told = kubectl(
            cluster, "-n", sets.namespace, "apply", "--server-side", "--force-conflicts", "-f", "-",
            stdin=bigger,
        )  # fmt: skip
        sets.wait_status("db", "Done: data=1Gi, logs=512Mi")

    after = Snapshot.of(sets, "db")
    assert told.stderr.count("is taken as a wish") == 2
    assert template_sizes(after.statefulset) == {"data": "1Gi", "logs": "512Mi"}
    check_unharmed(before, after)
    for pod in ("db-0", "db-1", "db-2"):
        wait_more_records(sets, pod, 5)
        for volume, mebibytes in GROWN_MIB.items():
            assert mebibytes <= filesystem_bytes(sets, pod, volume) // MIB
            assert journal(sets, pod, volume).is_whole
