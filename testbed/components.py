"""The command line of each program of a bed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from testbed.bed import API_PORT, NODE_NAME, POD_CIDR, SERVICE_CIDR
from testbed.credentials import ca_file
from testbed.node import KUBELET_ROOT

if TYPE_CHECKING:
    from testbed.bed import Bed

ETCD_URL = "http://127.0.0.1:2379"
# What is not measured by any test must not slow it down.
FAST_CLIENT = ("--kube-api-qps=200", "--kube-api-burst=400")


class Component(NamedTuple):
    """A program that the supervisor starts, and starts again when it ends."""

    name: str
    command: list[str]


def first_components(bed: Bed) -> list[Component]:
    """Return what starts at once: all else needs an API server that answers."""
    components = [etcd(bed), kube_apiserver(bed)]
    if bed.options.node:
        components.append(containerd(bed))
    return components


def later_components(bed: Bed) -> list[Component]:
    """Return what starts when the API server answers."""
    components = [kube_controller_manager(bed), kube_scheduler(bed)]
    if bed.options.has_storage:
        components += [csi_driver(bed), csi_provisioner(bed), csi_resizer(bed)]
    if bed.options.fake_nodes:
        components.append(kwok(bed))
    if bed.options.node:
        components += [kubelet(bed), kube_proxy(bed)]
    return components


def etcd(bed: Bed) -> Component:
    return Component(
        "etcd",
        [
            bed.program("etcd"),
            f"--data-dir={bed.path('etcd')}",
            f"--listen-client-urls={ETCD_URL}",
            f"--advertise-client-urls={ETCD_URL}",
            "--listen-peer-urls=http://127.0.0.1:2380",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ],
    )


def kube_apiserver(bed: Bed) -> Component:
    pki = bed.path("pki")
    return Component(
        "kube-apiserver",
        [
            bed.program("kube-apiserver"),
            f"--etcd-servers={ETCD_URL}",
            f"--bind-address={bed.address}",
            f"--advertise-address={bed.address}",
            f"--secure-port={API_PORT}",
            f"--tls-cert-file={pki}/apiserver.crt",
            f"--tls-private-key-file={pki}/apiserver.key",
            f"--client-ca-file={ca_file(bed)}",
            # Without it the controller manager and the scheduler log errors every 20 s.
            f"--requestheader-client-ca-file={ca_file(bed)}",
            # A webhook behind a Service is reached at its endpoints: here is no kube-proxy's rule.
            "--enable-aggregator-routing=true",
            "--requestheader-allowed-names=front-proxy-client",
            f"--token-auth-file={pki}/tokens.csv",
            f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
            f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
            "--kubelet-preferred-address-types=InternalIP",
            f"--service-account-key-file={pki}/service-account.key",
            f"--service-account-signing-key-file={pki}/service-account.key",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            f"--service-cluster-ip-range={SERVICE_CIDR}",
            "--allow-privileged=true",
            *bed.options.apiserver_flags,
        ],
    )


def kube_controller_manager(bed: Bed) -> Component:
    options = bed.options
    return Component(
        "kube-controller-manager",
        [
            *authenticated(bed, "kube-controller-manager"),
            f"--root-ca-file={ca_file(bed)}",
            f"--service-account-private-key-file={bed.path('pki', 'service-account.key')}",
            "--use-service-account-credentials",
            # Its defaults, unless a test asks otherwise: the garbage collector's share decides
            # how long a set is absent.
            f"--kube-api-qps={options.controller_qps}",
            f"--kube-api-burst={options.controller_burst}",
            *options.controller_manager_flags,
        ],
    )


def kube_scheduler(bed: Bed) -> Component:
    return Component("kube-scheduler", [*authenticated(bed, "kube-scheduler"), *FAST_CLIENT])


def authenticated(bed: Bed, name: str) -> list[str]:
    kubeconfig = bed.kubeconfig(name)
    return [
        bed.program(name),
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--cert-dir={bed.path('pki')}",
        "--leader-elect=false",
    ]


def csi_driver(bed: Bed) -> Component:
    command = [
        *(sys.executable, "-m", "testbed.csi"),
        f"--socket={bed.csi_socket}",
        f"--volumes={bed.path('volumes')}",
        f"--faults={bed.path('faults')}",
        f"--calls={bed.path('csi-calls.jsonl')}",
        f"--node-id={NODE_NAME}",
        f"--protos={bed.program('protos')}",
    ]
    if bed.options.node:
        command.append(f"--registration-socket={KUBELET_ROOT}/plugins_registry/csi.sock")
    return Component("csi-driver", command)


def csi_provisioner(bed: Bed) -> Component:
    return Component(
        "csi-provisioner", [*csi_sidecar(bed, "csi-provisioner"), "--default-fstype=ext4"]
    )


def csi_resizer(bed: Bed) -> Component:
    return Component("csi-resizer", csi_sidecar(bed, "csi-resizer"))


def csi_sidecar(bed: Bed, name: str) -> list[str]:
    return [
        bed.program(name),
        f"--kubeconfig={bed.kubeconfig('storage')}",
        f"--csi-address={bed.csi_socket}",
        *FAST_CLIENT,
        # Their defaults, 1 s to 5 min, would make each test of a fault wait.
        "--retry-interval-start=200ms",
        "--retry-interval-max=2s",
    ]


def kwok(bed: Bed) -> Component:
    return Component(
        "kwok",
        [
            bed.program("kwok"),
            f"--kubeconfig={bed.kubeconfig('kwok')}",
            f"--config={bed.program('kwok-stages.yaml')}",
            "--manage-all-nodes=false",
            "--manage-nodes-with-label-selector=type=kwok",
            "--node-lease-duration-seconds=40",
            "--cidr=10.201.0.0/16",
        ],
    )


def containerd(bed: Bed) -> Component:
    return Component("containerd", ["containerd", f"--config={bed.path('containerd.toml')}"])


def kubelet(bed: Bed) -> Component:
    return Component(
        "kubelet",
        [
            bed.program("kubelet"),
            f"--config={bed.path('kubelet.json')}",
            f"--kubeconfig={bed.kubeconfig('kubelet')}",
            f"--hostname-override={NODE_NAME}",
            f"--node-ip={bed.address}",
        ],
    )


def kube_proxy(bed: Bed) -> Component:
    return Component(
        "kube-proxy",
        [
            bed.program("kube-proxy"),
            f"--kubeconfig={bed.kubeconfig('kube-proxy')}",
            f"--hostname-override={NODE_NAME}",
            f"--cluster-cidr={POD_CIDR}",
            "--proxy-mode=nftables",
            # The settings of connection tracking belong to the machine, not to the bed.
            "--conntrack-max-per-core=0",
            "--conntrack-min=0",
            "--conntrack-tcp-timeout-established=0",
            "--conntrack-tcp-timeout-close-wait=0",
        ],
    )
