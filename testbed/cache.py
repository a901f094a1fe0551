"""Where what is built and what beds write is kept: outside the clone, so a fresh clone is warm."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.process import BedError

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
BUILD_INPUTS = ("go/*/*.go", "go/*/go.*", "images/*/*", "build.py", "images.py")


def cache_directory() -> Path:
    """Return ``$RSO_TESTBED_CACHE``, else ``rso-testbed`` in the user's cache directory."""
    chosen = os.environ.get("RSO_TESTBED_CACHE")
    if chosen:
        return Path(chosen).resolve()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "rso-testbed").resolve()


def build_directory() -> Path:
    """Return where programs built from just these inputs are, whether or not they are there."""
    digest = hashlib.sha256(platform.machine().encode())
    for pattern in BUILD_INPUTS:
        for path in sorted(HERE.glob(pattern)):
            digest.update(f"{path.relative_to(HERE)}\0".encode())
            digest.update(path.read_bytes())
    return cache_directory() / digest.hexdigest()[:16]


def built_programs() -> Path:
    """Return the directory of the programs.

    Raises: BedError with the command to run, when they are not built.
    """
    programs = build_directory()
    if not programs.is_dir():
        raise BedError("the test bed's programs are not built; run: python -m testbed build")
    return programs


def default_state() -> Path:
    """Return the state directory of the bed that a person starts."""
    return cache_directory() / "beds" / "default"


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock of a directory: one process at a time, given back however it ends."""
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
