"""Helm 4 at a set whose chart raises a size: upgrade, rollback, and upgrade again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from testbed.cluster import Cluster
from testbed.process import BedError
from tests.support.operators import Operator, settings_for
from tests.support.reviewers import serving, settings_of
from tests.support.sets import Json, Sets, statefulset, template_sizes
from tests.webhook.ways import own

ALL = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}


class Release:
    """A release of a chart with one set."""

    def __init__(self, sets: Sets, chart: Path) -> None:
        self._sets = sets
        self._chart = chart

    def install(self, size: str, **values: str) -> None:
        """Install the release, or upgrade it."""
        chosen = {"size": size, "keep": "deny", "image": "one", **values}
        flags = [f"--set={key}={text}" for key, text in chosen.items()]
        self._helm("upgrade", "--install", "db", str(self._chart), *flags)

    def roll_back(self, revision: int) -> None:
        """Go back to a revision of the release."""
        self._helm("rollback", "db", str(revision))

    def _helm(self, *arguments: str) -> None:
        self._sets.cluster.helm("--namespace", self._sets.namespace, *arguments)


@pytest.fixture
def release(tmp_path: Path, cluster: Cluster, namespace: str) -> Release:
    """Return a release of a chart whose claim size is a value."""
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: db\nversion: 1.0.0\n")
    body = statefulset(replicas=1, sizes={"data": "SIZE"})
    body["metadata"]["annotations"] = {"resize-statefulset-operator/on-smaller": "KEEP"}
    body["spec"]["template"]["metadata"]["annotations"] = {"image": "IMAGE"}
    text = yaml.safe_dump(body)
    for key in ("size", "keep", "image"):
        text = text.replace(key.upper(), f"{{{{ .Values.{key} }}}}")
    (chart / "templates" / "set.yaml").write_text(text)
    return Release(Sets(cluster, namespace), chart)


@pytest.fixture
def operator(
    cluster: Cluster, namespace: str, operator_namespace: str, key_dir: Path
) -> Iterator[Operator]:
    """Yield a resizer of its own user beside a webhook; it has not been started."""
    account = cluster.service_account(operator_namespace, cluster_rules=[ALL])
    settings = settings_of(cluster, namespace, operator_namespace, resizer_user=account.username)
    chosen = settings_for(cluster, operator_namespace, key_dir, kubeconfig=account.kubeconfig)
    found = Operator(cluster, chosen, namespace)
    with serving(cluster, settings):
        yield found
        found.stop()


def test_upgrade_rollback_and_upgrade_of_a_wish_that_waits(
    release: Release, operator: Operator, cluster: Cluster, namespace: str
) -> None:
    """A rollback before the resizer has begun withdraws the wish; an upgrade says it again."""
    sets = Sets(cluster, namespace)
    release.install("1Gi")

    release.install("2Gi")
    upgraded = own(sets)
    release.roll_back(1)
    rolled_back = own(sets)
    release.install("2Gi")
    operator.start()
    sets.wait_status("db", "Done: data=2Gi")
    release.install("2Gi", image="two")

    assert ("2Gi", "Waiting: data=2Gi") == (upgraded["resize-0"], upgraded["status"])
    assert {"on-smaller": "deny"} == rolled_back
    assert {"data": "2Gi"} == template_sizes(sets.get("db"))
    assert {"data-db-0": "2Gi"} == sets.requests()


def test_a_rollback_of_what_has_grown_is_denied_or_kept(
    release: Release, operator: Operator, cluster: Cluster, namespace: str
) -> None:
    """With `deny` Helm shows our words; with `keep` the old revision arrives but for the size."""
    sets = Sets(cluster, namespace)
    release.install("1Gi")
    release.install("1Gi", keep="keep", image="two")
    release.install("2Gi", image="three")
    operator.start()
    sets.wait_status("db", "Done: data=2Gi")

    with pytest.raises(BedError, match="data: 1Gi is less than 2Gi, and volumes never shrink"):
        release.roll_back(1)
    denied = sets.get("db")
    release.roll_back(2)
    kept = sets.get("db")
    release.install("3Gi", image="four")
    sets.wait_status("db", "Done: data=3Gi")

    assert ["three", "two"] == [image(each) for each in (denied, kept)]
    assert {"data": "2Gi"} == template_sizes(kept)
    assert {"data": "3Gi"} == template_sizes(sets.get("db"))


def image(found: Json) -> str:
    """Return what the chart's value is in the set."""
    return str(found["spec"]["template"]["metadata"]["annotations"]["image"])
