"""Roles with exactly the rights that a test names: {resource: verbs}."""

from collections.abc import Mapping

from testbed.cluster import Cluster, ServiceAccount
from tests.support.sets import Json

Granted = Mapping[str, set[str]]

GROUPS = {
    "statefulsets": "apps",
    "controllerrevisions": "apps",
    "storageclasses": "storage.k8s.io",
    "leases": "coordination.k8s.io",
}


def rules(granted: Granted) -> list[Json]:
    """Return the PolicyRules of a Role."""
    return [
        {"apiGroups": [GROUPS.get(plural, "")], "resources": [plural], "verbs": sorted(verbs)}
        for plural, verbs in granted.items()
    ]


def bind(cluster: Cluster, namespace: str, account: ServiceAccount, granted: Granted) -> None:
    """Give an account of another namespace a Role in this one."""
    group = "rbac.authorization.k8s.io"
    metadata = {"name": account.name}
    role = {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata}
    cluster.apply({**role, "rules": rules(granted)}, namespace)
    subject = {
        "kind": "ServiceAccount",
        "namespace": account.namespace,
        "name": account.name,
    }
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": group, "kind": "Role", "name": account.name},
        "subjects": [subject],
    }
    cluster.apply(binding, namespace)
    cluster.wait_granted(account.username, namespace, rules(granted))
