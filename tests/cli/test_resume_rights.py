"""`rso resume` with exactly the rights that docs/user/cli.md names."""

from pathlib import Path

import pytest

from testbed.cluster import Cluster
from tests.cli.absent import make_absent
from tests.cli.running import Rso
from tests.support.rights import bind, rules
from tests.support.sets import Sets, template_sizes

WORKLOAD = {
    "statefulsets": {"get", "create", "patch"},
    "persistentvolumeclaims": {"list", "patch"},
    "pods": {"list"},
    "controllerrevisions": {"list"},
    "events": {"create", "patch"},
}
OWN = {
    "namespaces": {"get"},
    "configmaps": {"get", "list", "patch", "delete"},
    "leases": {"get", "create", "update"},
}


def test_the_rights_that_are_documented_suffice(
    cluster: Cluster, sets: Sets, rso: Rso, key_dir: Path
) -> None:
    """Whoever has these rights and the key brings a set back."""
    make_absent(sets, rso, key_dir)
    account = cluster.service_account(rso.operator_namespace, rules(OWN))
    bind(cluster, rso.namespace, account, WORKLOAD)
    narrow = Rso(account.kubeconfig, rso.namespace, rso.operator_namespace)

    ran = narrow.apart(f"resume db --key-dir {key_dir} --timeout 50s")

    assert (0, "app/db is back, with data=2Gi\n") == (ran.code, ran.out)
    assert "forbidden" not in ran.err.lower()
    assert {"data": "2Gi"} == template_sizes(sets.get("db"))


@pytest.mark.parametrize(
    ("plural", "verb"),
    [("controllerrevisions", "list"), ("pods", "list"), ("statefulsets", "create")],
)
def test_a_right_that_is_missing_is_named(
    cluster: Cluster, sets: Sets, rso: Rso, key_dir: Path, plural: str, verb: str
) -> None:
    """Without a right the end is 5, the right is named, and the backup is kept."""
    make_absent(sets, rso, key_dir)
    account = cluster.service_account(rso.operator_namespace, rules(OWN))
    granted = {
        name: verbs - {verb} if name == plural else verbs for name, verbs in WORKLOAD.items()
    }
    bind(cluster, rso.namespace, account, {name: verbs for name, verbs in granted.items() if verbs})
    narrow = Rso(account.kubeconfig, rso.namespace, rso.operator_namespace)

    ran = narrow.apart(f"resume db --key-dir {key_dir} --timeout 20s")

    assert 5 == ran.code
    assert f'cannot {verb} resource "{plural}"' in ran.err
    assert "srb-1  " in rso("backup list").out
