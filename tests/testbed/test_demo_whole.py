"""The whole demo, as a person plays it: it ends by itself, and leaves what was asked for."""

import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from testbed import lifecycle
from testbed.cache import HERE, cache_directory, locked
from testbed.fixtures import need_bed, run_directory
from testbed.process import wait_until
from testbed.runs import is_up
from tests.testbed.machine import Traces

README = HERE.parent / "README.md"
DEMO_SECONDS = 110
INTERRUPTED = 130
# The limit is the test's alone: while it waits for its turn other demos are played.
pytestmark = [pytest.mark.node, pytest.mark.timeout(2 * DEMO_SECONDS, func_only=True)]


@pytest.fixture
def state(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Yield a state directory of the test's own, while no other test plays the demo.

    Two demos at once would each be slow. What a killed test leaves, the next run ends.
    """
    need_bed(is_node=True)
    directory = run_directory(request.config) / f"demo-{secrets.token_hex(4)}"
    with locked(cache_directory() / "beds" / "demo-tests"):
        yield directory
        lifecycle.down(directory)


@contextmanager
def playing(state: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Play the demo; it is interrupted, if need be, before the block ends."""
    kept = {name: value for name, value in os.environ.items() if name != "KEEP"}
    process = subprocess.Popen(
        [sys.executable, "-m", "testbed.demo", "--state", str(state)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=kept | environment,
        cwd=HERE.parent,
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)


def read_until(process: subprocess.Popen[str], words: str) -> None:
    """Read what the demo tells up to a line with these words."""
    assert process.stdout is not None
    while words not in (line := process.stdout.readline()):
        assert line, "the demo ended"


def steps_in_readme() -> list[str]:
    """Return the steps of the demo that README shows, in order."""
    return re.findall(r"✔ (.+?) +\d+\.\d s │", README.read_text())


def log_in_readme() -> list[str]:
    """Return the operator's lines that README shows, without their times."""
    return re.findall(r"\+ *\d+\.\d+ s  (.+?) +│", README.read_text())


def test_the_demo(state: Path) -> None:
    """Every promise holds on a real cluster, the exit code says so, and README shows the same."""
    assert log_in_readme()
    with playing(state) as process:
        told, _ = process.communicate(timeout=DEMO_SECONDS)

    assert process.returncode == 0, told
    assert "All promises held" in told
    assert not is_up(state)
    assert steps_in_readme() == re.findall(r"\d\. (.+): done in", told)
    assert [line for line in log_in_readme() if line not in told] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing(state: Path, number: signal.Signals) -> None:
    """Ctrl-C or SIGTERM in the middle ends the cluster and the operator."""
    with playing(state) as process:
        # The bed's record is written before anything of it is made.
        read_until(process, "Pods that write")
        with Traces.of(state) as traces:
            process.send_signal(number)
            told, _ = process.communicate(timeout=DEMO_SECONDS)

            assert INTERRUPTED == process.returncode, told
            wait_until(lambda: not traces.left(), 10, "the end of the cluster and the operator")


def test_a_killed_demo_is_ended_whole(state: Path) -> None:
    """After kill -9 the operator ends with the bed: no process of either is left."""
    with playing(state) as process:
        read_until(process, "The operator: rso resizer: done")
        process.kill()
        process.wait()
        with Traces.of(state) as traces:
            before = traces.left()
            lifecycle.down(state)

            assert [line for line in before if line.startswith("process") and line.endswith(" rso")]
            wait_until(lambda: not traces.left(), 10, "the end of the cluster and the operator")


def test_keep_leaves_a_cluster_to_use(state: Path) -> None:
    """With KEEP=1 the commands that it prints work: the one to look, then the one to end it."""
    with playing(state, KEEP="1") as process:
        told, _ = process.communicate(timeout=DEMO_SECONDS)
    use, _, end = told.partition("Left running. Use it:\n")[2].partition("End it:\n")
    with Traces.of(state) as traces:
        kubectl = [line for line in use.splitlines() if not line.lstrip().startswith("tail")]
        shown = shell("\n".join(kubectl))
        shell(end)

        assert process.returncode == 0, told
        assert re.search("statefulset.apps/db +4/4", shown)
        wait_until(lambda: not traces.left(), 10, "the end of the cluster and the operator")


def shell(script: str) -> str:
    """Return what a person's commands print; they must succeed."""
    return subprocess.run(
        ["sh", "-ec", script], capture_output=True, text=True, cwd=HERE.parent, check=True
    ).stdout
