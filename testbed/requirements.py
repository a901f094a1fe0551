"""What a machine must have, and which Debian package brings it. Standard library only."""

from __future__ import annotations

import importlib.util
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
# Of the packages in requirements/dev.txt those that a bed itself imports.
PYTHON_MODULES = ("grpc", "rich")
CNI_PLUGIN = Path("/usr/lib/cni/ptp")
CNI_PACKAGE = "containernetworking-plugins"
GO_VERSION = "1.26"
# Debian keeps some of these programs where a user's PATH does not look.
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


def missing_packages() -> list[str]:
    """Return the Debian packages to install before a bed with a node can be built and run.

    Raises: BedError, when no package would help: not Linux, or not root.
    """
    refuse(platform_problems())
    wanted = CONTROL_PLANE | NODE | BUILD
    packages = {package for program, package in wanted.items() if not has(program)}
    if not CNI_PLUGIN.exists():
        packages.add(CNI_PACKAGE)
    return sorted(packages)


def check_up(*, node: bool) -> None:
    """Return when a bed can run here.

    Raises: BedError, with all that is missing.
    """
    refuse(platform_problems() or python_problems())
    find_system_programs()
    problems = program_problems(CONTROL_PLANE | (NODE if node else {}))
    if node and not CNI_PLUGIN.exists():
        problems.append(f"{CNI_PLUGIN} is missing: apt-get install {CNI_PACKAGE}")
    refuse(problems)


def check_build() -> None:
    """Return when the programs can be built here.

    Raises: BedError, with all that is missing.
    """
    refuse(platform_problems() or python_problems())
    find_system_programs()
    problems = program_problems(BUILD)
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


def python_problems() -> list[str]:
    """Return what to do when this Python is not the one that was set up."""
    missing = [name for name in PYTHON_MODULES if importlib.util.find_spec(name) is None]
    if not missing:
        return []
    return [
        f"{sys.executable} lacks {', '.join(missing)}: run make setup, then use .venv/bin/python"
    ]


def find_system_programs() -> None:
    """Let this process and all that it starts find the programs that Debian keeps for root."""
    known = os.environ.get("PATH", "").split(os.pathsep)
    added = [directory for directory in SYSTEM_PATH.split(os.pathsep) if directory not in known]
    os.environ["PATH"] = os.pathsep.join([*known, *added])


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
