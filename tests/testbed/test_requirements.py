"""What a person is told where a bed cannot run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from testbed.cache import HERE

ON_ANOTHER_SYSTEM = """\
import runpy, sys
sys.platform = "darwin"
sys.argv = ["testbed", "up"]
runpy.run_module("testbed", run_name="__main__")
"""


def answer(*command: str, **environment: str) -> tuple[int, str]:
    """Return status and error text of a command, run in the clone."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=HERE.parent,
        env=os.environ | environment,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_up_without_root_says_so() -> None:
    """Another user is told that root is needed, without a traceback."""
    status, text = answer("unshare", "--user", sys.executable, "-m", "testbed", "up")

    assert status == 1
    assert "it needs root" in text
    assert "Traceback" not in text


def test_up_elsewhere_than_linux_says_so() -> None:
    """Another system is named, without a traceback."""
    status, text = answer(sys.executable, "-c", ON_ANOTHER_SYSTEM)

    assert status == 1
    assert "it needs Linux" in text
    assert "Traceback" not in text


@pytest.mark.skipif(os.geteuid() != 0, reason="without root that is what is said first")
def test_up_names_each_missing_program_and_its_package() -> None:
    """All that is missing is told at once, with the package that brings it."""
    status, text = answer(
        *("env", "PATH=/nowhere", sys.executable, "-c"),
        "from testbed import requirements as r; r.SYSTEM_PATH = '/nowhere'\n"
        "from testbed.__main__ import main; raise SystemExit(main(['up', '--node']))",
    )

    assert status == 1
    assert "unshare is missing: apt-get install util-linux" in text
    assert "containerd is missing: apt-get install containerd" in text


@pytest.mark.skipif(os.geteuid() != 0, reason="without root that is what is said first")
def test_up_without_programs_says_what_to_run(tmp_path: os.PathLike[str]) -> None:
    """Where nothing is built yet the command that builds it is told."""
    state = os.fspath(tmp_path) + "/bed"
    status, text = answer(
        *(sys.executable, "-m", "testbed", "up", "--state", state),
        RSO_TESTBED_CACHE=os.fspath(tmp_path),
    )

    assert status == 1
    assert "run: python -m testbed build" in text
