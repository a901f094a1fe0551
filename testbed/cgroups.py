"""The control group of a bed's containers, for cgroup v1 and v2.

Only these directories outlive the processes of a bed; ``down`` removes them.
"""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path

from testbed.process import wait_until

ROOT = Path("/sys/fs/cgroup")


def version() -> int:
    """Return 1 or 2: the version that the kubelet of a bed will use on this machine."""
    return 2 if is_unified() else 1


def is_unified() -> bool:
    """Tell whether all controllers share one hierarchy, which is version 2."""
    return (ROOT / "cgroup.controllers").exists()


def hierarchies() -> list[Path]:
    """Return the top of each hierarchy: one for v2, one per controller for v1."""
    if is_unified():
        return [ROOT]
    return [path for path in ROOT.iterdir() if path.is_dir() and not path.is_symlink()]


def make(name: str) -> None:
    """Make the group in each hierarchy; with v2 let it have every controller there is."""
    for top in hierarchies():
        (top / name).mkdir(exist_ok=True)
    if is_unified():
        enable_controllers(ROOT)


def enable_controllers(group: Path) -> None:
    """Pass on each controller; the kubelet refuses to start without its own."""
    for controller in (group / "cgroup.controllers").read_text().split():
        with contextlib.suppress(OSError):  # one that processes of the root group hold back
            (group / "cgroup.subtree_control").write_text(f"+{controller}")


def remove(name: str) -> None:
    """Remove the group and all below it, once its last process has ended."""
    for top in hierarchies():
        for directory, _, _ in os.walk(top / name, topdown=False):
            wait_until(functools.partial(removed, directory), 30, f"removal of {directory}")


def removed(directory: str) -> bool:
    path = Path(directory)
    with contextlib.suppress(OSError):  # busy until the kernel has let go of its processes
        path.rmdir()
    return not path.exists()
