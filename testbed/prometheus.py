"""Debian's Prometheus: only its program, from its package, which is not installed.

Nothing of the package is run: no service is made, started or left behind.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from testbed.cache import cache_directory, locked
from testbed.images import download
from testbed.process import BedError, run


def program() -> Path:
    """Return the program.

    Raises: BedError with the command to run, when it has not been fetched.
    """
    path = _path()
    if not path.is_file():
        raise BedError("Prometheus has not been fetched; run: python -m testbed build")
    return path


def fetch() -> Path:
    """Return the program, fetched now if need be; it appears whole or not at all.

    Raises: BedError, with what apt said.
    """
    path = _path()
    with locked(cache_directory()):
        if not path.is_file():
            path.parent.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent, prefix="fetch-") as draft:
                _extract(Path(draft)).rename(path)
    return path


def _extract(draft: Path) -> Path:
    download("prometheus", draft)
    [package] = draft.glob("prometheus_*.deb")
    run("dpkg-deb", "-x", str(package), str(draft / "package"))
    return draft / "package" / "usr" / "bin" / "prometheus"


def _path() -> Path:
    return cache_directory() / "debian" / "prometheus"
