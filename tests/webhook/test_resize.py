"""The webhook and a resizer of its own user together: one apply, and the set has grown."""

import json
from pathlib import Path

import pytest

from testbed.cluster import Cluster
from tests.support.operators import Operator, settings_for
from tests.support.reviewers import kubectl, serving, settings_of
from tests.support.sets import (
    PREFIX,
    Sets,
    Snapshot,
    check_claims_kept,
    check_pods_kept,
    statefulset,
    template_sizes,
)

ALL = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}


@pytest.mark.parametrize("flags", [(), ("--server-side",)], ids=["client side", "server side"])
def test_one_apply_with_a_bigger_template_is_all(
    cluster: Cluster,
    namespace: str,
    operator_namespace: str,
    key_dir: Path,
    flags: tuple[str, ...],
) -> None:
    """The wish is followed, our own recreate is not reviewed, and a later apply has no conflict."""
    account = cluster.service_account(operator_namespace, cluster_rules=[ALL])
    sets = Sets(cluster, namespace)
    plain, bigger = (
        json.dumps(statefulset(replicas=1, sizes={"data": size})) for size in ("1Gi", "2Gi")
    )
    apply = ("-n", namespace, "apply", *flags, "-f", "-")
    settings = settings_of(cluster, namespace, operator_namespace, resizer_user=account.username)
    own = settings_for(cluster, operator_namespace, key_dir, kubeconfig=account.kubeconfig)

    with serving(cluster, settings) as reviewer:
        kubectl(cluster, *apply, stdin=plain)
        sets.wait(lambda: sets.is_ready("db") and sets.is_settled("db"), "the set is quiet")
        before = Snapshot.of(sets, "db")
        operator = Operator(cluster, own, namespace).start()
        try:
            told = kubectl(cluster, *apply, stdin=bigger)
            asked = reviewer.metric("rso_reviews_total")
            sets.wait_status("db", "Done: data=2Gi")
            reviewed = reviewer.metric("rso_reviews_total")
            again = kubectl(cluster, *apply, stdin=bigger)
        finally:
            operator.stop()

    assert "is taken as a wish" in told.stderr
    assert (0, "") == (again.returncode, again.stderr)
    assert {"data": "2Gi"} == template_sizes(sets.get("db"))
    assert {"data-db-0": "2Gi"} == sets.requests()
    after = Snapshot.of(sets, "db")
    check_pods_kept(before, after)
    check_claims_kept(before, after)
    assert asked == reviewed
    annotations = sets.get("db")["metadata"]["annotations"]
    assert "2Gi" == annotations[f"{PREFIX}declared-0"]
