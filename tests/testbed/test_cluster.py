"""The cluster that tests share, its volumes and the faults of its driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.api import ApiRefusal
from testbed.fixtures import need_bed
from testbed.process import BedError
from tests.testbed.volumes import (
    ask,
    bound_claim,
    capacity,
    ready_replicas,
    resize_status,
    stateful_set,
)

if TYPE_CHECKING:
    from testbed.api import Object
    from testbed.cluster import Cluster

GIB = 1024**3


def expansions(cluster: Cluster, volume: str) -> list[Object]:
    """Return the calls that expanded a volume; the resizer may repeat one that succeeded."""
    calls = cluster.csi_calls(volume)
    return [call for call in calls if call["method"] == "ControllerExpandVolume"]


def test_each_test_has_a_namespace_of_its_own(cluster: Cluster, namespace: str) -> None:
    """A fresh namespace holds nothing and differs from any other."""
    other = cluster.make_namespace()
    cluster.delete("namespace", other)

    assert other != namespace
    assert cluster.list("pod", namespace) == []
    assert cluster.list("pvc", namespace) == []


def test_a_set_runs_on_fake_nodes(cluster: Cluster, namespace: str) -> None:
    """A StatefulSet gets volumes, and its Pods are ready, without a real node."""
    cluster.apply(stateful_set("instant", "1Gi", replicas=3), namespace)

    cluster.wait(lambda: ready_replicas(cluster, namespace) == 3, 60, "three ready Pods")
    assert len(cluster.list("pvc", namespace)) == 3


def test_a_claim_grows_by_the_real_resizer(cluster: Cluster, namespace: str) -> None:
    """Status follows a bigger request, and the driver is asked for just these bytes."""
    claim = bound_claim(cluster, namespace, "instant", "1Gi")
    volume = cluster.csi_volume(namespace, claim)
    ask(cluster, namespace, claim, "2Gi")

    cluster.wait(lambda: capacity(cluster, namespace, claim) == "2Gi", 30, "growth")
    assert {(call["bytes"], call["code"]) for call in expansions(cluster, volume)} == {
        (2 * GIB, "OK")
    }


def test_a_class_rounds_up(cluster: Cluster, namespace: str) -> None:
    """The volume of class ``rounding`` has the next multiple of 256Mi."""
    claim = bound_claim(cluster, namespace, "rounding", "300Mi")

    assert capacity(cluster, namespace, claim) == "512Mi"


def test_a_class_has_a_maximum(cluster: Cluster, namespace: str) -> None:
    """Over the maximum a request is infeasible, and a lower one recovers."""
    claim = bound_claim(cluster, namespace, "max", "1Gi")
    ask(cluster, namespace, claim, "11Gi")
    cluster.wait(
        lambda: resize_status(cluster, namespace, claim) == "ControllerResizeInfeasible",
        30,
        "the refusal",
    )
    ask(cluster, namespace, claim, "10Gi")

    cluster.wait(lambda: capacity(cluster, namespace, claim) == "10Gi", 30, "growth")


def test_a_class_refuses_expansion(cluster: Cluster, namespace: str) -> None:
    """A claim of class ``fixed`` cannot ask for more."""
    claim = bound_claim(cluster, namespace, "fixed", "1Gi")

    with pytest.raises(ApiRefusal) as refused:
        ask(cluster, namespace, claim, "2Gi")
    assert refused.value.code == 403


def test_a_class_binds_with_the_first_pod(cluster: Cluster, namespace: str) -> None:
    """A claim of class ``late`` waits for a Pod, and is bound when there is one."""
    cluster.apply(stateful_set("late", "1Gi"), namespace)

    cluster.wait(lambda: ready_replicas(cluster, namespace) == 1, 60, "a ready Pod")
    assert capacity(cluster, namespace, "data-db-0") == "1Gi"


def test_a_transient_fault_ends_by_itself(cluster: Cluster, namespace: str) -> None:
    """A fault holds for as many calls as it says, of one volume; then the volume grows."""
    claim = bound_claim(cluster, namespace, "instant", "1Gi")
    volume = cluster.csi_volume(namespace, claim)
    cluster.csi_fault(
        "ControllerExpandVolume", code="UNAVAILABLE", message="busy", times=2, volume=volume
    )
    ask(cluster, namespace, claim, "2Gi")

    cluster.wait(lambda: capacity(cluster, namespace, claim) == "2Gi", 60, "growth")
    codes = [call["code"] for call in expansions(cluster, volume)]
    assert codes[:3] == ["UNAVAILABLE", "UNAVAILABLE", "OK"]


def test_a_slow_back_end(cluster: Cluster, namespace: str) -> None:
    """A fault with a delay makes the call take that long and do its work."""
    claim = bound_claim(cluster, namespace, "instant", "1Gi")
    volume = cluster.csi_volume(namespace, claim)
    cluster.csi_fault("ControllerExpandVolume", delay=1, times=1, volume=volume)
    ask(cluster, namespace, claim, "2Gi")

    cluster.wait(lambda: capacity(cluster, namespace, claim) == "2Gi", 30, "growth")
    first = expansions(cluster, volume)[0]
    assert first["seconds"] >= 1
    assert first["code"] == "OK"


def test_a_fault_of_one_volume_leaves_others_alone(cluster: Cluster, namespace: str) -> None:
    """While one volume fails for ever another one grows."""
    broken = bound_claim(cluster, namespace, "instant", "1Gi")
    other = bound_claim(cluster, namespace, "rounding", "1Gi")
    volume = cluster.csi_volume(namespace, broken)
    cluster.csi_fault("ControllerExpandVolume", code="INTERNAL", volume=volume)
    ask(cluster, namespace, broken, "2Gi")
    ask(cluster, namespace, other, "2Gi")

    cluster.wait(lambda: capacity(cluster, namespace, other) == "2Gi", 30, "growth")
    assert capacity(cluster, namespace, broken) == "1Gi"
    cluster.end_csi_fault("ControllerExpandVolume", volume)


def test_a_service_account_has_exactly_its_rights(cluster: Cluster, namespace: str) -> None:
    """What the rules grant works; the same elsewhere, and all else, is forbidden."""
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]
    account = cluster.service_account(namespace, rules)

    def allowed(verb: str, where: str) -> bool:
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": account.username,
                "resourceAttributes": {"verb": verb, "resource": "configmaps", "namespace": where},
            },
        }
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        answer: bool = cluster.api.request("POST", path, review)["status"]["allowed"]
        return answer

    cluster.wait(lambda: allowed("list", namespace), 10, "the API server to know the rules")
    assert not allowed("list", "default")
    assert not allowed("create", namespace)


def test_a_service_account_has_a_kubeconfig(cluster: Cluster, namespace: str) -> None:
    """Its kubeconfig speaks for it, not for the administrator."""
    account = cluster.service_account(namespace)

    with pytest.raises(BedError, match=account.username):
        cluster.kubectl("get", "configmaps", kubeconfig=account.kubeconfig)


def test_a_client_certificate_is_an_identity(cluster: Cluster) -> None:
    """There is an administrator without a token, for tests of client certificates."""
    answer = cluster.kubectl("auth", "whoami", kubeconfig=cluster.certificate_kubeconfig)

    assert "certificate-admin" in answer


def test_no_kubernetes_of_the_caller_leaks_in(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs under test see this cluster only."""
    monkeypatch.setenv("KUBECONFIG", "/elsewhere")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "192.0.2.1")

    kept = {name: value for name, value in cluster.environment.items() if "KUBE" in name}
    assert kept == {"KUBECONFIG": str(cluster.kubeconfig)}


def test_requirements_are_met_where_the_cluster_runs(cluster: Cluster) -> None:
    """Where a cluster runs its requirements are reported as met."""
    assert cluster.api.is_ready()
    need_bed(is_node=False)
