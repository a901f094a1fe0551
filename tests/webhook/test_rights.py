"""The rights of the webhook: its own Secret and its own configuration by name, or none at all."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from rso.app.registration import Scope, webhook_configuration
from rso.app.self_signed import Service
from testbed.cluster import Cluster
from tests.support.reviewers import SERVICE, Reviewer, serving, settings_of, unregister
from tests.support.sets import PREFIX, Json, Sets, statefulset

SECRET = f"{SERVICE}-authority"
ADMISSION = "admissionregistration.k8s.io"
OWN = {"secrets": {"get", "patch"}, "mutatingwebhookconfigurations": {"get", "patch"}}


def rules(granted: dict[str, set[str]], name: str) -> tuple[list[Json], list[Json]]:
    """Return the PolicyRules in the webhook's namespace, and in the cluster: all by name."""
    made = {
        plural: {
            "apiGroups": ["" if plural == "secrets" else ADMISSION],
            "resources": [plural],
            "resourceNames": [SECRET if plural == "secrets" else name],
            "verbs": sorted(verbs),
        }
        for plural, verbs in granted.items()
        if verbs
    }
    own = [rule for plural, rule in made.items() if plural == "secrets"]
    return own, [rule for plural, rule in made.items() if plural != "secrets"]


class Installed:
    """What a chart installs: an empty Secret and a configuration, for a webhook of one test."""

    def __init__(self, cluster: Cluster, namespace: str, own: str) -> None:
        self.cluster = cluster
        self.settings = replace(settings_of(cluster, namespace, own), register=False)
        scope = Scope(Service(SERVICE, own), ("nobody:resizer",), (namespace,))
        self.name = scope.name
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET}}
        cluster.apply(secret, own)
        cluster.apply(webhook_configuration(scope))

    def reviewer(self, granted: dict[str, set[str]]) -> Reviewer:
        """Return a webhook with exactly these rights."""
        own, everywhere = rules(granted, self.name)
        namespace = self.settings.service_namespace
        account = self.cluster.service_account(namespace, own, everywhere)
        return Reviewer(self.cluster, self.settings, kubeconfig=account.kubeconfig)


@pytest.fixture
def installed(cluster: Cluster, namespace: str, operator_namespace: str) -> Installed:
    """Return what a chart would have installed."""
    return Installed(cluster, namespace, operator_namespace)


def errors(caplog: pytest.LogCaptureFixture) -> str:
    """Return all errors that were told."""
    fields = (getattr(each, "fields", {}) for each in caplog.records)
    return "\n".join(str(each.get("error")) for each in fields)


def test_two_objects_by_name_are_all_it_needs(installed: Installed) -> None:
    """With certificates of its own it reads and patches one Secret and one configuration."""
    reviewer = installed.reviewer(OWN).start()
    try:
        reviewer.wait_ready()
        found = installed.cluster.get("mutatingwebhookconfiguration", installed.name) or {}
    finally:
        unregister(installed.cluster, installed.settings)
        reviewer.stop()

    assert all(each["clientConfig"]["caBundle"] for each in found["webhooks"])


@pytest.mark.parametrize(
    ("plural", "verb"), [(plural, verb) for plural in OWN for verb in sorted(OWN[plural])]
)
def test_without_one_of_them_it_is_not_ready_and_says_why(
    installed: Installed, caplog: pytest.LogCaptureFixture, plural: str, verb: str
) -> None:
    """Each right is needed; a missing one is named in the log."""
    caplog.set_level(logging.WARNING, "rso")
    told = f'cannot {verb} resource "{plural}"'
    reviewer = installed.reviewer({**OWN, plural: OWN[plural] - {verb}}).start()
    try:
        installed.cluster.wait(lambda: told in errors(caplog), 20, "it is told")
        webhook = reviewer.webhook
        missing = webhook.missing() if webhook else None
    finally:
        unregister(installed.cluster, installed.settings)
        reviewer.stop()

    assert missing is not None


def test_with_certificates_from_outside_it_asks_for_nothing(
    installed: Installed, files: Path
) -> None:
    """Without any right it serves, since it sends no request at all."""
    settings = replace(installed.settings, tls="files", tls_dir=files)
    account = installed.cluster.service_account(settings.service_namespace)
    reviewer = Reviewer(installed.cluster, settings, kubeconfig=account.kubeconfig).start()
    try:
        reviewer.wait_ready()
    finally:
        unregister(installed.cluster, settings)
        reviewer.stop()


def test_kube_system_and_its_own_namespace_never_reach_it(
    cluster: Cluster, namespace: str, operator_namespace: str
) -> None:
    """Not even where both are asked for: a set with a mistake that it would deny is stored."""
    excluded = ("kube-system", operator_namespace)
    settings = replace(
        settings_of(cluster, namespace, operator_namespace), namespaces=(namespace, *excluded)
    )
    body = statefulset("rso-probe", replicas=0, annotations={f"{PREFIX}paused": "no"})
    with serving(cluster, settings) as reviewer:
        before = reviewer.metric("rso_reviews_total")
        try:
            for each in excluded:
                cluster.apply(body, each)
                patched = Sets(cluster, each)
                patched.annotate("rso-probe", paused="maybe")
        finally:
            for each in excluded:
                cluster.delete("statefulset", "rso-probe", each)
        asked = reviewer.metric("rso_reviews_total")

    assert before == asked
