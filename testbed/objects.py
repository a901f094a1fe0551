"""The objects a bed has from the start: its storage classes, its CSI driver and its fake nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from testbed.csi.volumes import DRIVER_NAME

if TYPE_CHECKING:
    from testbed.bed import Bed

Object = dict[str, Any]

# {name: parameters of testbed/csi/volumes.py}
# With a real node: xfs and btrfs grow mounted, ext4 unmounted (mounted it would need
# CAP_SYS_RESOURCE), offline-node only while no Pod uses it, and broken-node never.
NODE_CLASSES: dict[str, dict[str, str]] = {
    "xfs": {"csi.storage.k8s.io/fstype": "xfs", "maxSize": "1Ti"},
    "few-inodes": {"csi.storage.k8s.io/fstype": "xfs", "inodePercent": "1"},
    "btrfs": {"csi.storage.k8s.io/fstype": "btrfs"},
    "ext4": {"csi.storage.k8s.io/fstype": "ext4", "expansion": "offline"},
    "offline-node": {"csi.storage.k8s.io/fstype": "xfs", "nodeExpansion": "offline"},
    "broken-node": {"csi.storage.k8s.io/fstype": "xfs", "nodeExpansion": "broken"},
}
# Without a node a volume is ready when the driver has grown it.
CONTROLLER_CLASSES: dict[str, dict[str, str]] = {
    "instant": {"nodeExpansion": "false"},
    "fixed": {"nodeExpansion": "false"},
    "late": {"nodeExpansion": "false"},
    "max": {"nodeExpansion": "false", "maxSize": "10Gi"},
    "rounding": {"nodeExpansion": "false", "granularity": "256Mi"},
}


def first_objects(bed: Bed) -> list[Object]:
    """Return what ``up`` makes when the API server answers."""
    objects = storage_objects() if bed.options.has_storage else []
    return objects + [fake_node(bed, number) for number in range(bed.options.fake_nodes)]


def storage_objects() -> list[Object]:
    """Return the CSI driver and all classes; those for a node are of use only with one."""
    classes = NODE_CLASSES | CONTROLLER_CLASSES
    return [csi_driver_object(), *(storage_class(name, classes[name]) for name in classes)]


def csi_driver_object() -> Object:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "CSIDriver",
        "metadata": {"name": DRIVER_NAME},
        "spec": {"attachRequired": False, "podInfoOnMount": False},
    }


def storage_class(name: str, parameters: dict[str, str]) -> Object:
    """Return a class: ``fixed`` does not expand, ``late`` binds with the first Pod."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": DRIVER_NAME,
        "allowVolumeExpansion": name != "fixed",
        "volumeBindingMode": "WaitForFirstConsumer" if name == "late" else "Immediate",
        "parameters": parameters,
    }


def fake_node(bed: Bed, number: int) -> Object:
    """Return a node that KWOK plays; beside a real one it takes only Pods that tolerate it."""
    resources = {"cpu": "1000", "memory": "1Ti", "pods": "5000"}
    taint = {"key": "fake", "value": "true", "effect": "NoSchedule"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"fake-{number}", "labels": {"type": "kwok"}},
        "spec": {"taints": [taint] if bed.options.node else []},
        "status": {"allocatable": resources, "capacity": resources},
    }
