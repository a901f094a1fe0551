"""Debian's Prometheus: only its program, from its package, which is not installed.

Nothing of the package is run: no service is made, started or left behind.
"""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
import urllib.request
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed.cache import cache_directory, locked
from testbed.images import download
from testbed.process import BedError, run, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


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


@contextmanager
def running(directory: Path, configuration: dict[str, Any]) -> Iterator[int]:
    """Run a Prometheus on loopback with this configuration, and yield its port.

    Its files are in the directory. It ends with this process, however that ends.
    Raises: BedError, when it is not there within 30 s.
    """
    file, log = directory / "prometheus.json", directory / "prometheus.log"
    file.write_text(json.dumps(configuration))  # JSON is YAML
    port = _free_port()
    command = [
        *("setpriv", "--pdeathsig", "KILL", str(program())),
        f"--config.file={file}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as made:
        try:
            wait_until(lambda: _is_ready(port), 30, f"Prometheus (its log is {log})")
            yield port
        finally:
            made.kill()


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
