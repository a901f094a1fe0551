"""A real node: the configuration of containerd, kubelet and network, and the mounts they need.

All of it runs in the mount namespace of the bed. The node has a /run, /var/lib and /var/log of its
own there, so its programs use their usual paths and leave nothing on the machine.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed.bed import POD_CIDR, SERVICE_CIDR
from testbed.credentials import ca_file
from testbed.process import run, wait_until

if TYPE_CHECKING:
    from testbed.bed import Bed

CNI_PLUGINS = Path("/usr/lib/cni")
CONTAINERD_SOCKET = Path("/run/containerd/containerd.sock")
KUBELET_ROOT = Path("/var/lib/kubelet")
NODE_DIRECTORIES = ("/var/lib", "/var/log")
SANDBOX_IMAGE = "localhost/testbed/busybox:1"
# What the kubelet writes into settings of the whole machine when they differ
# (kubelet, `setupKernelTunables`); here it finds them as it wants them.
KUBELET_SYSCTLS = {
    "kernel/keys/root_maxbytes": "25000000",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
}


def write_node_files(bed: Bed) -> None:
    """Write the configuration files, from outside the namespaces."""
    bed.path("resolv.conf").write_text("")
    bed.path("containerd.toml").write_text(containerd_config(bed))
    bed.path("kubelet.json").write_text(json.dumps(kubelet_config(bed), indent=1))
    bed.path("cni").mkdir()
    bed.path("cni", "10-testbed.conflist").write_text(json.dumps(cni_config(), indent=1))


def containerd_config(bed: Bed) -> str:
    """Return containerd's configuration.

    ``restrict_oom_score_adj``: a root without CAP_SYS_RESOURCE may not lower the score; runc would
    fail for each Pod.
    """
    return f"""\
version = 2

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{SANDBOX_IMAGE}"
  restrict_oom_score_adj = true

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{bed.path("cni")}"
"""


def kubelet_config(bed: Bed) -> dict[str, Any]:
    """Return the kubelet's configuration; with 1 s it looks at volumes often enough for tests."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(ca_file(bed))},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{bed.cgroup}",
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "enforceNodeAllocatable": [],
        "evictionHard": {"nodefs.available": "1%", "imagefs.available": "1%"},
        "failCgroupV1": False,
        "failSwapOn": False,
        "maxPods": 200,
        "podCIDR": POD_CIDR,
        "protectKernelDefaults": True,
        "resolvConf": str(bed.path("resolv.conf")),
        "syncFrequency": "1s",
        "tlsCertFile": str(bed.path("pki", "kubelet.crt")),
        "tlsPrivateKeyFile": str(bed.path("pki", "kubelet.key")),
        "volumeStatsAggPeriod": "1s",
    }


def cni_config() -> dict[str, Any]:
    """Return a network of one routed link per Pod: no bridge, no rules, no machine settings."""
    ipam = {
        "type": "host-local",
        "ranges": [[{"subnet": POD_CIDR}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {
        "cniVersion": "1.0.0",
        "name": "testbed",
        "plugins": [{"type": "ptp", "ipMasq": False, "ipam": ipam}],
    }


def prepare_node(bed: Bed) -> None:
    """Make the node's own directories and settings, inside the namespaces."""
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    # Without a default route the Service addresses need one of their own.
    run("ip", "route", "add", SERVICE_CIDR, "dev", "eth0", "src", bed.address)
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    for directory in NODE_DIRECTORIES:
        own = bed.path("node" + directory)
        own.mkdir(parents=True)
        run("mount", "--bind", str(own), directory)
        # What the kubelet mounts must appear in containers too.
        run("mount", "--make-rshared", directory)
    (KUBELET_ROOT / "plugins_registry").mkdir(parents=True)
    hide_sysctls(bed)


def hide_sysctls(bed: Bed) -> None:
    """Show the kubelet the settings it wants, so that it leaves those of the machine alone."""
    directory = bed.path("sysctls")
    directory.mkdir()
    for name, value in KUBELET_SYSCTLS.items():
        shown = directory / name.replace("/", ".")
        shown.write_text(f"{value}\n")
        run("mount", "--bind", str(shown), f"/proc/sys/{name}")


def import_images(bed: Bed) -> None:
    """Load the images that were built into containerd: a node here has no registry."""
    wait_until(CONTAINERD_SOCKET.exists, 30, "containerd's socket")
    for archive in sorted((bed.programs / "images").glob("*.tar")):
        run("ctr", "--namespace", "k8s.io", "images", "import", str(archive))
