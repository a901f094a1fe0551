"""The clusters that figures are measured on."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed.cluster import Cluster
from testbed.process import BedError

ROOT = Path(__file__).parent.parent


@contextmanager
def bed(state: Path | None, *flags: str) -> Iterator[Cluster]:
    """Bring up a bed with these flags and end it; with a state, use the bed that is up there.

    Raises: BedError.
    """
    if state is not None:
        yield Cluster(state.resolve())
        return
    with tempfile.TemporaryDirectory(prefix="rso-bench-") as directory:
        own = Path(directory, "bed")
        _testbed("up", "--state", str(own), *flags)
        try:
            yield Cluster(own)
        finally:
            _testbed("down", "--state", str(own))


def kubernetes_version(cluster: Cluster) -> str:
    """Return what the API server says of itself."""
    return str(cluster.api.request("GET", "/version")["gitVersion"])


def _testbed(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "testbed", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BedError(done.stderr.strip())
