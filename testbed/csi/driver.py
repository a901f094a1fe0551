"""The driver's methods: identity, controller, node, and the registration with the kubelet.

``csi`` and ``registration`` are the messages of the two protocols, compiled when the driver starts:
no package ships them. A method takes a request and returns a response or raises Refusal.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import grpc

from testbed.csi.faults import Refusal
from testbed.csi.volumes import (
    DRIVER_NAME,
    Volume,
    capacity_for,
    grow_mounted,
    is_mount_point,
    tool,
    unmount,
)

# ruff: noqa: ANN401 - messages are compiled at start


def find(directory: Path, volume_id: str) -> Volume:
    """Return a volume that exists; Refusal NOT_FOUND when it does not."""
    volume = Volume(directory, volume_id)
    if not volume.exists():
        raise Refusal(grpc.StatusCode.NOT_FOUND, f"no volume {volume_id}")
    return volume


class Registration:
    """What the kubelet asks of a plugin it finds; stands in for node-driver-registrar."""

    def __init__(self, registration: Any, socket: Path) -> None:
        self._messages = registration
        self._socket = socket

    def get_info(self, _request: Any) -> Any:
        return self._messages.PluginInfo(
            type="CSIPlugin",
            name=DRIVER_NAME,
            endpoint=str(self._socket),
            supported_versions=["1.0.0"],
        )

    def notify_registration_status(self, _request: Any) -> Any:
        return self._messages.RegistrationStatusResponse()


class Identity:
    """Who the driver is."""

    def __init__(self, csi: Any) -> None:
        self._csi = csi

    def get_plugin_info(self, _request: Any) -> Any:
        return self._csi.GetPluginInfoResponse(name=DRIVER_NAME, vendor_version="1")

    def get_plugin_capabilities(self, _request: Any) -> Any:
        capability = self._csi.PluginCapability
        service, expansion = capability.Service, capability.VolumeExpansion
        return self._csi.GetPluginCapabilitiesResponse(
            capabilities=[
                capability(service=service(type=service.CONTROLLER_SERVICE)),
                capability(volume_expansion=expansion(type=expansion.ONLINE)),
            ]
        )

    def probe(self, _request: Any) -> Any:
        return self._csi.ProbeResponse()


class Controller:
    """Creates, expands and deletes volumes."""

    def __init__(self, csi: Any, volumes: Path) -> None:
        self._csi = csi
        self._volumes = volumes

    def controller_get_capabilities(self, _request: Any) -> Any:
        capability = self._csi.ControllerServiceCapability
        kinds = (capability.RPC.CREATE_DELETE_VOLUME, capability.RPC.EXPAND_VOLUME)
        return self._csi.ControllerGetCapabilitiesResponse(
            capabilities=[capability(rpc=capability.RPC(type=kind)) for kind in kinds]
        )

    def create_volume(self, request: Any) -> Any:
        parameters = dict(request.parameters)
        volume = Volume(self._volumes, request.name)
        if not volume.exists():
            volume.create(capacity_for(request.capacity_range, parameters), parameters)
        made = self._csi.Volume(volume_id=volume.id, capacity_bytes=volume.size_bytes)
        return self._csi.CreateVolumeResponse(volume=made)

    def delete_volume(self, request: Any) -> Any:
        Volume(self._volumes, request.volume_id).delete()
        return self._csi.DeleteVolumeResponse()

    def validate_volume_capabilities(self, request: Any) -> Any:
        find(self._volumes, request.volume_id)
        response = self._csi.ValidateVolumeCapabilitiesResponse
        confirmed = response.Confirmed(volume_capabilities=request.volume_capabilities)
        return response(confirmed=confirmed)

    def controller_expand_volume(self, request: Any) -> Any:
        volume = find(self._volumes, request.volume_id)
        size = capacity_for(request.capacity_range, volume.parameters)
        if size > volume.size_bytes:
            if volume.parameters.get("expansion") == "offline" and volume.is_mounted():
                message = f"volume {volume.id} is in use; this driver expands offline"
                raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, message)
            volume.grow(size)
        return self._csi.ControllerExpandVolumeResponse(
            capacity_bytes=volume.size_bytes,
            node_expansion_required=volume.parameters.get("nodeExpansion") != "false",
        )


class Node:
    """Mounts volumes and grows their file systems."""

    def __init__(self, csi: Any, volumes: Path, node_id: str) -> None:
        self._csi = csi
        self._volumes = volumes
        self._node_id = node_id

    def node_get_info(self, _request: Any) -> Any:
        return self._csi.NodeGetInfoResponse(node_id=self._node_id)

    def node_get_capabilities(self, _request: Any) -> Any:
        capability = self._csi.NodeServiceCapability
        rpc = capability.RPC
        kinds = (rpc.STAGE_UNSTAGE_VOLUME, rpc.EXPAND_VOLUME, rpc.GET_VOLUME_STATS)
        return self._csi.NodeGetCapabilitiesResponse(
            capabilities=[capability(rpc=rpc(type=kind)) for kind in kinds]
        )

    def node_stage_volume(self, request: Any) -> Any:
        volume = find(self._volumes, request.volume_id)
        if not is_mount_point(request.staging_target_path):
            fs_type = request.volume_capability.mount.fs_type or "ext4"
            volume.mount(request.staging_target_path, fs_type)
        return self._csi.NodeStageVolumeResponse()

    def node_unstage_volume(self, request: Any) -> Any:
        unmount(request.staging_target_path)
        return self._csi.NodeUnstageVolumeResponse()

    def node_publish_volume(self, request: Any) -> Any:
        target = request.target_path
        Path(target).mkdir(exist_ok=True)
        if not is_mount_point(target):
            tool("mount", "--bind", request.staging_target_path, target)
        return self._csi.NodePublishVolumeResponse()

    def node_unpublish_volume(self, request: Any) -> Any:
        target = Path(request.target_path)
        if target.exists():
            unmount(str(target))
            target.rmdir()
        return self._csi.NodeUnpublishVolumeResponse()

    def node_get_volume_stats(self, request: Any) -> Any:
        find(self._volumes, request.volume_id)
        fs = os.statvfs(request.volume_path)
        usage = self._csi.VolumeUsage
        space = usage(
            unit=usage.BYTES,
            total=fs.f_blocks * fs.f_frsize,
            used=(fs.f_blocks - fs.f_bfree) * fs.f_frsize,
            available=fs.f_bavail * fs.f_frsize,
        )
        inodes = usage(
            unit=usage.INODES,
            total=fs.f_files,
            used=fs.f_files - fs.f_ffree,
            available=fs.f_favail,
        )
        return self._csi.NodeGetVolumeStatsResponse(usage=[space, inodes])

    def node_expand_volume(self, request: Any) -> Any:
        volume = find(self._volumes, request.volume_id)
        if volume.parameters.get("nodeExpansion") == "broken":
            raise Refusal(grpc.StatusCode.INTERNAL, "this class never expands on its node")
        if volume.parameters.get("nodeExpansion") == "offline" and volume.is_used():
            message = f"volume {volume.id} is in use; its file system grows before that"
            raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, message)
        grow_mounted(request.staging_target_path)
        return self._csi.NodeExpandVolumeResponse(capacity_bytes=volume.size_bytes)
