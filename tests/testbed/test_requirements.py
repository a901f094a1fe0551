"""What a person is told where a bed cannot run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from testbed.cache import HERE
from testbed.fixtures import need_bed

ON_ANOTHER_SYSTEM = """\
import runpy, sys
sys.platform = "darwin"
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__")
"""
COMMANDS = [
    pytest.param(("testbed", "up"), id="up"),
    pytest.param(("testbed", "build"), id="build"),
    pytest.param(("testbed", "missing-packages"), id="make setup"),
    pytest.param(("testbed.demo",), id="demo"),
]


def answer(*command: str, **environment: str) -> tuple[int, str]:
    """Return status and text of a command, run in the clone."""
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=HERE.parent,
        env=os.environ | environment,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_user_without_root_is_told_so(command: tuple[str, ...]) -> None:
    """Another user is told that root is needed, without a traceback."""
    status, text = answer("unshare", "--user", sys.executable, "-m", *command)

    assert status == 1
    assert "it needs root" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("command", COMMANDS)
def test_elsewhere_than_linux_one_is_told_so(command: tuple[str, ...]) -> None:
    """Another system is named, without a traceback."""
    status, text = answer(sys.executable, "-c", ON_ANOTHER_SYSTEM, *command)

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
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("testbed", "up"), id="up"),
        pytest.param(("testbed", "down"), id="down"),
        pytest.param(("testbed", "build"), id="build"),
        pytest.param(("testbed.demo",), id="demo"),
    ],
)
def test_a_python_that_was_not_set_up_says_so(command: tuple[str, ...]) -> None:
    """Outside the environment of ``make setup`` one is told to run it, without a traceback."""
    status, text = answer(sys.executable, "-S", "-m", *command)

    assert status == 1
    assert "run make setup" in text
    assert "Traceback" not in text


def test_programs_of_root_are_found_without_them_on_the_path() -> None:
    """What a bed starts is found where Debian keeps it, also with a user's PATH."""
    need_bed(is_node=False)
    status, text = answer(
        *("env", "PATH=/usr/bin:/bin", sys.executable, "-c"),
        "from testbed import process, requirements; requirements.check_up(node=False)\n"
        "print(process.run('losetup', '--version'))",
    )

    assert (status, text.split()[0]) == (0, "losetup")


def test_checks_ask_for_no_system_packages() -> None:
    """``make check`` needs no cluster, so it looks for none of a cluster's programs."""
    _, check = answer("make", "--dry-run", "check")
    _, demo = answer("make", "--dry-run", "demo")

    assert "missing-packages" in demo
    assert "missing-packages" not in check


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
