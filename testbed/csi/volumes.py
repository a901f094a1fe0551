"""Volumes: a sparse file each, and beside it the StorageClass parameters it was made with.

Parameters of a class:
  granularity     capacities are rounded up to a multiple of it (default 1Mi)
  maxSize         above it creating and expanding answer OUT_OF_RANGE
  expansion       ``online`` (default), or ``offline``: refused while a node has it mounted
  nodeExpansion   ``true`` (default), ``false``: the node need not do anything, ``offline``:
                  refused while a container uses it, or ``broken``: it always fails
  inodePercent    the share of an xfs that inodes may take
"""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

from testbed.csi.faults import Refusal
from testbed.process import BedError, run, succeeds

if TYPE_CHECKING:
    from collections.abc import Iterator

DRIVER_NAME = "loop.csi.testbed"
MIB = 1024**2
DEFAULT_BYTES = 64 * MIB
UNITS = {"": 1, "Ki": 1024, "Mi": MIB, "Gi": 1024**3, "Ti": 1024**4}


class Volume:
    """A volume by its id, whether or not it exists."""

    def __init__(self, directory: Path, volume_id: str) -> None:
        self.id = volume_id
        self.image = directory / f"{volume_id}.img"
        self._settings = directory / f"{volume_id}.json"

    def exists(self) -> bool:
        """Tell whether it was created and not deleted."""
        return self.image.exists()

    @property
    def parameters(self) -> dict[str, str]:
        """The class parameters it was created with."""
        parameters: dict[str, str] = json.loads(self._settings.read_text())
        return parameters

    @property
    def size_bytes(self) -> int:
        """Its capacity; the file itself takes only what was written."""
        return self.image.stat().st_size

    def create(self, size_bytes: int, parameters: dict[str, str]) -> None:
        """Make it; twice is once."""
        self._settings.write_text(json.dumps(parameters))
        self.grow(size_bytes)

    def grow(self, size_bytes: int) -> None:
        """Make it larger; what it holds stays.

        Raises: Refusal OUT_OF_RANGE, when this machine's files cannot be that large.
        """
        try:
            with self.image.open("ab") as file:
                file.truncate(size_bytes)
        except OSError as error:
            raise Refusal(grpc.StatusCode.OUT_OF_RANGE, f"{size_bytes} bytes: {error}") from error

    def delete(self) -> None:
        """Remove it; one that is gone is no error."""
        self.image.unlink(missing_ok=True)
        self._settings.unlink(missing_ok=True)

    def is_formatted(self) -> bool:
        """Tell whether it holds a file system."""
        return succeeds("blkid", "-p", str(self.image))

    def is_mounted(self) -> bool:
        """Tell whether a loop device uses it."""
        columns = ("--noheadings", "--output", "NAME")
        return bool(tool("losetup", *columns, "--associated", str(self.image)))

    def is_used(self) -> bool:
        """Tell whether a container has it: its mount namespace is another one than the node's."""
        columns = ("--noheadings", "--output", "NAME")
        device = tool("losetup", *columns, "--associated", str(self.image))
        return any(f" {device} " in mounts for mounts in mounts_elsewhere())

    def mount(self, target: str, fs_type: str) -> None:
        """Mount it, formatted if need be, and grown if it was expanded while unmounted."""
        if not self.is_formatted():
            tool(f"mkfs.{fs_type}", "-q", *self._options(fs_type), str(self.image))
        elif fs_type == "ext4":
            # Only here: while mounted the kernel asks for CAP_SYS_RESOURCE.
            tool("e2fsck", "-f", "-p", str(self.image))
            tool("resize2fs", str(self.image))
        # Such a loop device frees itself when the last mount goes, however it goes.
        tool("mount", "-o", "loop", "-t", fs_type, str(self.image), target)

    def _options(self, fs_type: str) -> tuple[str, ...]:
        """Return how a new file system is made."""
        if fs_type == "ext4":
            return ("-m", "0")
        percent = self.parameters.get("inodePercent")
        return ("-i", f"maxpct={percent}") if percent else ()


def tool(*command: str) -> str:
    """Return what a program of the machine prints; its failure is an INTERNAL error of CSI."""
    try:
        return run(*command).strip()
    except BedError as error:
        raise Refusal(grpc.StatusCode.INTERNAL, str(error)) from error


def parse_size(text: str) -> int:
    """Return the bytes of a class parameter such as ``256Mi``."""
    match = re.fullmatch(r"(\d+)([KMGT]i)?", text)
    if match is None:
        raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, f"{text!r} is no size")
    return int(match[1]) * UNITS[match[2] or ""]


def capacity_for(capacity_range: Any, parameters: dict[str, str]) -> int:  # noqa: ANN401 # compiled when the driver starts
    """Return the capacity that covers what is asked.

    Units: bytes, a multiple of the granularity. Raises: Refusal OUT_OF_RANGE over a limit.
    """
    granularity = parse_size(parameters.get("granularity", "1Mi"))
    wanted = capacity_range.required_bytes or DEFAULT_BYTES
    size = -(-wanted // granularity) * granularity
    limits = (capacity_range.limit_bytes, parse_size(parameters.get("maxSize", "0")))
    for limit in filter(None, limits):
        if size > limit:
            raise Refusal(grpc.StatusCode.OUT_OF_RANGE, f"{size} bytes is above the limit {limit}")
    return int(size)


def mounts_elsewhere() -> Iterator[str]:
    """Yield the mount table of each process in another mount namespace than ours."""
    own = Path("/proc/self/ns/mnt").readlink()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            if (process / "ns/mnt").readlink() != own:
                yield (process / "mountinfo").read_text()


def is_mount_point(path: str) -> bool:
    """Tell whether something is mounted exactly there."""
    return succeeds("mountpoint", "-q", path)


def unmount(path: str) -> None:
    """Unmount what is mounted there, if anything is."""
    if is_mount_point(path):
        tool("umount", path)


def grow_mounted(mount_path: str) -> None:
    """Grow the file system mounted there to the size of its volume."""
    columns = ("findmnt", "-nro", "SOURCE,FSTYPE", "--mountpoint", mount_path)
    device, fs_type = tool(*columns).split()
    tool("losetup", "--set-capacity", device)
    if fs_type == "xfs":
        tool("xfs_growfs", mount_path)
    elif fs_type == "btrfs":
        tool("btrfs", "filesystem", "resize", "max", mount_path)
    else:
        tool("resize2fs", device)
