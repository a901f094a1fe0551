"""What a machine must have, and which Debian package brings it. Standard library only."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from testbed.process import BedError

# Each program with the package that brings it.
CONTROL_PLANE = {
    "ip": "iproute2",
    "losetup": "mount",
    "nsenter": "util-linux",
    "openssl": "openssl",
    "unshare": "util-linux",
}
NODE = {
    "btrfs": "btrfs-progs",
    "containerd": "containerd",
    "mkfs.ext4": "e2fsprogs",
    "mkfs.xfs": "xfsprogs",
    "nft": "nftables",
    "runc": "runc",
}
BUILD = {"apt-get": "apt", "buildah": "buildah", "dpkg-deb": "dpkg", "ldd": "libc-bin"}
CNI_PLUGIN = Path("/usr/lib/cni/ptp")
CNI_PACKAGE = "containernetworking-plugins"
GO_VERSION = "1.26"
# Debian keeps some of these programs where a user's PATH does not look.
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


def missing_packages() -> list[str]:
    """Return the Debian packages to install before a bed with a node can be built and run."""
    wanted = CONTROL_PLANE | NODE | BUILD
    packages = {package for program, package in wanted.items() if not has(program)}
    if not CNI_PLUGIN.exists():
        packages.add(CNI_PACKAGE)
    return sorted(packages)


def check_up(*, node: bool) -> None:
    """Return when a bed can run here.

    Raises: BedError, with all that is missing.
    """
    problems = platform_problems() or program_problems(CONTROL_PLANE | (NODE if node else {}))
    if node and not problems and not CNI_PLUGIN.exists():
        problems.append(f"{CNI_PLUGIN} is missing: apt-get install {CNI_PACKAGE}")
    refuse(problems)


def check_build() -> None:
    """Return when the programs can be built here.

    Raises: BedError, with all that is missing.
    """
    problems = platform_problems() or program_problems(BUILD)
    if not has("go"):
        problems.append(f"go is missing: install Go {GO_VERSION} or newer from https://go.dev/dl")
    refuse(problems)


def platform_problems() -> list[str]:
    """Return why a bed cannot run on this machine at all."""
    if not sys.platform.startswith("linux"):
        return [f"it needs Linux (namespaces, loop devices); this is {sys.platform}"]
    if os.geteuid() != 0:
        return [f"it needs root (namespaces, mounts); this is user {os.geteuid()}"]
    return []


def program_problems(wanted: dict[str, str]) -> list[str]:
    return [
        f"{program} is missing: apt-get install {package}"
        for program, package in sorted(wanted.items())
        if not has(program)
    ]


def has(program: str) -> bool:
    """Tell whether a program is on the PATH or where Debian keeps those of root."""
    path = os.environ.get("PATH", "") + os.pathsep + SYSTEM_PATH
    return shutil.which(program, path=path) is not None


def refuse(problems: list[str]) -> None:
    if problems:
        raise BedError("\n".join(["the test bed cannot run here:", *(f"- {p}" for p in problems)]))
