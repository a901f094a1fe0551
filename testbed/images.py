"""Builds container images with buildah: no registry, no daemon."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from testbed.cache import HERE
from testbed.node import SANDBOX_IMAGE
from testbed.process import BedError, run

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.progress import Step


def build_busybox(step: Step, archives: Path, work: Path) -> None:
    """Write the image of sandboxes and test Pods as a Docker archive.

    It holds Debian's busybox with its libraries: the static one crashes in name look-ups.
    """
    step.begin("building", 3)
    context = work / "busybox"
    root = context / "rootfs"
    (root / "bin").mkdir(parents=True)
    download("busybox", context)
    step.advance()
    [package] = context.glob("busybox_*.deb")
    run("dpkg-deb", "-x", str(package), str(context / "package"))
    shutil.copy(context / "package" / "bin" / "busybox", root / "bin" / "busybox")
    copy_libraries(root / "bin" / "busybox", root)
    for name in run(str(root / "bin" / "busybox"), "--list").split():
        if name != "busybox":
            (root / "bin" / name).symlink_to("busybox")
    file = HERE / "images" / "busybox" / "Dockerfile"
    build_image(work, context, SANDBOX_IMAGE, ("--file", str(file)))
    step.advance()
    save_image(work, SANDBOX_IMAGE, archives / "busybox.tar")
    step.finish()


def download(package: str, directory: Path) -> None:
    """Download a Debian package; the package lists are updated only when that fails.

    Raises: BedError, with what apt said.
    """
    command = ("apt-get", "download", package)
    try:
        run(*command, cwd=directory)
    except BedError:  # a bare machine has no lists, and old ones name files that have gone
        run("apt-get", "-qq", "update")
        run(*command, cwd=directory)


def copy_libraries(program: Path, root: Path) -> None:
    """Copy the libraries that a program needs, each to its own place."""
    for library in re.findall(r"(/\S+)", run("ldd", str(program))):
        copied = root / library.lstrip("/")
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, copied)


def build_image(work: Path, context: Path, tag: str, options: tuple[str, ...] = ()) -> None:
    """Build a Dockerfile; isolation by chroot needs no right that a sandbox may lack."""
    isolated = ("--isolation", "chroot", "--layers=false", "--pull=never")
    run(*buildah(work), "build", *isolated, "--tag", tag, *options, str(context))


def save_image(work: Path, tag: str, archive: Path) -> None:
    """Write an image as the archive that `ctr images import` reads."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    archive.unlink(missing_ok=True)
    run(*buildah(work), "push", tag, f"docker-archive:{archive}:{tag}")


def buildah(work: Path) -> tuple[str, ...]:
    """Return buildah with its state in one directory, which works on any file system."""
    places = ("--root", str(work / "root"), "--runroot", str(work / "run"))
    return ("buildah", *places, "--storage-driver", "vfs")
