"""Self-made certificates on a real cluster: one authority for all replicas, and its renewal."""

import base64
from collections.abc import Callable

import pytest

from rso.app import resources
from rso.app.authority import AUTHORITY_LIFE, LEAF_LIFE, OVERLAP
from rso.app.registrar import NotRegistered, Registrar
from rso.app.self_signed import SelfSigned, Service, UnusableSecret
from rso.app.tls import Served
from rso.kube.auth import from_kubeconfig
from rso.kube.client import Client
from rso.kube.clock import SystemClock
from rso.kube.transport import HttpTransport
from testbed.cluster import Cluster
from tests.support.clocks import ShiftedClock
from tests.support.reviewers import SERVICE, Reviewer


class Replicas:
    """Two replicas of a webhook, as far as their certificates go."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.clock = ShiftedClock()
        self.transport = HttpTransport(from_kubeconfig(str(cluster.kubeconfig)))
        self.client = Client(self.transport, clock=self.clock, field_manager="test")
        self.served = [Served(), Served()]
        service = Service(SERVICE, namespace)
        self.both = [SelfSigned(self.client, service, each, self.clock) for each in self.served]

    async def bundles(self) -> list[bytes]:
        """Return the bundle that each replica would have trusted, after a refresh."""
        return [await each.refresh() for each in self.both]


async def test_replicas_share_an_authority_through_its_renewals(
    cluster: Cluster, operator_namespace: str
) -> None:
    """Whoever comes first makes or renews it; both trust the same, and renew their own leaves."""
    replicas = Replicas(cluster, operator_namespace)
    try:
        first = await replicas.bundles()
        expiry = [each.expiry() for each in replicas.served]
        replicas.clock.offset = LEAF_LIFE * 0.7
        later = await replicas.bundles()
        renewed = [each.expiry() for each in replicas.served]
        replicas.clock.offset = AUTHORITY_LIFE * 0.7
        overlap = await replicas.bundles()
        replicas.clock.offset += OVERLAP * 1.1
        turned = await replicas.bundles()
    finally:
        await replicas.transport.close()

    assert first[0] == first[1] == later[0] == later[1]
    assert all(new > old for new, old in zip(renewed, expiry, strict=True))
    assert overlap[0] == overlap[1]
    assert overlap[0].startswith(first[0])
    assert 2 == overlap[0].count(b"BEGIN CERTIFICATE")
    assert turned[0] == turned[1]
    assert turned[0].endswith(first[0])


def damaged(data: dict[str, str]) -> dict[str, str]:
    return {**data, "ca.crt": base64.b64encode(b"x").decode()}


def emptied(_: dict[str, str]) -> dict[str, str]:
    return {"other": ""}


@pytest.mark.parametrize("change", [damaged, emptied])
async def test_a_damaged_authority_is_told_and_not_replaced(
    cluster: Cluster,
    operator_namespace: str,
    change: Callable[[dict[str, str]], dict[str, str]],
) -> None:
    """A Secret that holds none is named, with what to do: nobody's secret is overwritten."""
    replicas = Replicas(cluster, operator_namespace)
    try:
        await replicas.bundles()
        name = f"{SERVICE}-authority"
        found = cluster.get("secret", name, operator_namespace) or {}
        found["data"] = change(found["data"])
        await replicas.client.replace(resources.SECRETS, operator_namespace, name, found)

        with pytest.raises(UnusableSecret, match="holds no certificate authority; delete it"):
            await replicas.both[0].refresh()
    finally:
        await replicas.transport.close()


async def test_the_bundle_goes_into_a_configuration_of_others(
    cluster: Cluster, operator_namespace: str
) -> None:
    """Without --register only the bundle is written, and without a configuration nothing is."""
    name = f"resize-statefulset-operator.{operator_namespace}"
    transport = HttpTransport(from_kubeconfig(str(cluster.kubeconfig)))
    registrar = Registrar(Client(transport, clock=SystemClock(), field_manager="test"))
    replicas = Replicas(cluster, operator_namespace)
    entry = {
        "name": "x.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": {"url": "https://127.0.0.1:1/"},
    }
    try:
        bundle = (await replicas.bundles())[0]
        with pytest.raises(NotRegistered, match="install the chart, or run with --register"):
            await registrar.trust(name, bundle)
        made = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": [entry],
        }
        await registrar.ensure(resources.MUTATING_WEBHOOKS, made)
        await registrar.trust(name, bundle)
        found = cluster.get("mutatingwebhookconfiguration", name) or {}
        await registrar.trust(name, bundle)
        again = cluster.get("mutatingwebhookconfiguration", name) or {}
    finally:
        await transport.close()
        await replicas.transport.close()
        cluster.delete("mutatingwebhookconfiguration", name)

    [entry] = found["webhooks"]
    assert bundle == base64.b64decode(entry["clientConfig"]["caBundle"])
    assert found["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]


def test_what_is_registered_is_as_tight_as_it_can_be(cluster: Cluster, reviewer: Reviewer) -> None:
    """Two entries: updates Fail, creates Ignore; without kube-system and our own namespace."""
    own = reviewer.settings.service_namespace
    found = cluster.get("mutatingwebhookconfiguration", f"resize-statefulset-operator.{own}") or {}
    update, create = found["webhooks"]

    assert (["UPDATE"], "Fail") == (update["rules"][0]["operations"], update["failurePolicy"])
    assert (["CREATE"], "Ignore") == (create["rules"][0]["operations"], create["failurePolicy"])
    for entry in (update, create):
        excluded = entry["namespaceSelector"]["matchExpressions"][0]
        assert ("NotIn", ["kube-system", own]) == (excluded["operator"], excluded["values"])
        assert (5, "None", "Never") == (
            entry["timeoutSeconds"],
            entry["sideEffects"],
            entry["reinvocationPolicy"],
        )
        assert ["statefulsets"] == entry["rules"][0]["resources"]
