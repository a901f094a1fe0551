"""A real Prometheus that scrapes the bed's kubelet, and accounts with just the rights to read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import prometheus
from testbed.cluster import ServiceAccount
from tests.support.sets import Sets

SCRAPE = "2s"


def account_for(sets: Sets, resource: str, *verbs: str) -> ServiceAccount:
    """Return an account that may do just this, in the whole cluster for nodes."""
    rules = [{"apiGroups": [""], "resources": [resource], "verbs": list(verbs)}] if verbs else []
    if resource.startswith("nodes/"):
        return sets.cluster.service_account(sets.namespace, cluster_rules=rules)
    return sets.cluster.service_account(sets.namespace, rules)


@pytest.fixture
def port(sets: Sets, tmp_path: Path) -> Iterator[int]:
    """Yield a Prometheus that scrapes the kubelet with the right to read metrics only."""
    account = account_for(sets, "nodes/metrics", "get")
    token = tmp_path / "token"
    token.write_text(account.token)
    job = {
        "job_name": "kubelet",
        "scheme": "https",
        "scrape_interval": SCRAPE,
        "authorization": {"credentials_file": str(token)},
        "tls_config": {"ca_file": str(sets.cluster.ca_file)},
        "static_configs": [{"targets": [f"{sets.cluster.bed.address}:10250"]}],
    }
    with prometheus.running(tmp_path, {"scrape_configs": [job]}) as port:
        yield port
