"""Beds of a test run: started once, ended with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from testbed import runs
from testbed.bed import RECORD, load_record
from testbed.cache import HERE, build_directory
from testbed.fixtures import need_bed

if TYPE_CHECKING:
    from pathlib import Path

# Each worker writes the identity of the API server it saw; one of the tests fails.
INNER_TESTS = """\
import os
import pathlib
import pytest

@pytest.mark.parametrize("number", range(4))
def test_sees_the_cluster(cluster, namespace, number):
    uid = cluster.get("namespace", "kube-system")["metadata"]["uid"]
    seen = pathlib.Path(os.environ["SEEN"], os.environ["PYTEST_XDIST_WORKER"])
    seen.write_text(f"{uid} {cluster.bed.state}")
    assert number != 3
"""


@pytest.mark.cluster
def test_workers_share_a_cluster_that_ends_with_the_run(tmp_path: Path) -> None:
    """Two workers see the same cluster, and after a failing run it is gone."""
    need_bed(is_node=False)
    (tmp_path / "test_inner.py").write_text(INNER_TESTS)
    seen = tmp_path / "seen"
    seen.mkdir()
    environment = os.environ | {"SEEN": str(seen), "PYTHONPATH": str(HERE.parent)}
    environment.pop("RSO_TESTBED_STATE", None)
    options = ["-n2", "--dist=load", "-p", "testbed.fixtures", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, f"--rootdir={tmp_path}", str(tmp_path)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )

    assert "1 failed, 3 passed" in run.stdout
    reports = {path.read_text() for path in seen.iterdir()}
    assert {path.name for path in seen.iterdir()} == {"gw0", "gw1"}
    assert len(reports) == 1
    assert not os.path.exists(reports.pop().split()[1])  # noqa: PTH110 # a path as text


KILLED_RUN = """\
import os, signal
from testbed import runs
print(runs.bed_state(runs.begin(), "control-plane"), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
KILLED_BENCH = """\
import os, signal
from bench.beds import bed
with bed(None) as cluster:
    print(cluster.bed.state, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.cluster
@pytest.mark.parametrize(
    "script",
    [pytest.param(KILLED_RUN, id="of the tests"), pytest.param(KILLED_BENCH, id="of a benchmark")],
)
def test_the_next_run_ends_what_a_killed_one_left(script: str, tmp_path: Path) -> None:
    """The bed of a run whose process is gone is ended, its directory removed."""
    need_bed(is_node=False)
    environment = os.environ | {"RSO_TESTBED_CACHE": str(tmp_path)}
    link_programs(tmp_path)
    killed = python(script, environment)
    state = tmp_path.joinpath(killed.stdout.strip())
    _, first = load_record(state)
    was_alive = first.is_alive()
    python("from testbed import runs; runs.end(runs.begin())", environment)

    assert was_alive
    assert not first.is_alive()
    assert not state.exists()


def test_an_old_run_that_cannot_be_ended_stops_no_new_one(tmp_path: Path) -> None:
    """A new run begins all the same; what is left is told, and other killed runs are ended."""
    stuck, killed = tmp_path / "runs" / "stuck", tmp_path / "runs" / "killed"
    (stuck / "bed").mkdir(parents=True)
    (stuck / "bed" / RECORD).write_text("{}")
    killed.mkdir()
    begun = python(
        "from testbed import runs; runs.end(runs.begin())",
        os.environ | {"RSO_TESTBED_CACHE": str(tmp_path)},
    )

    assert begun.returncode == 0
    assert f"a killed run is left in {stuck}" in begun.stderr
    assert [stuck] == list((tmp_path / "runs").iterdir())


def link_programs(cache: Path) -> None:
    """Let another cache directory have the programs that are built."""
    (cache / build_directory().name).symlink_to(build_directory())


def python(script: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Return what a script answers, run in the clone."""
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=HERE.parent,
        env=environment,
        check=False,
    )


def test_a_run_has_its_process_written_down() -> None:
    """The owner of a new run is this process, so that no other run ends its beds."""
    directory = runs.begin()
    owner = runs.owner(directory)
    recorded = json.loads((directory / runs.OWNER).read_text())["pid"]
    runs.end(directory)

    assert (recorded, owner.is_alive()) == (os.getpid(), True)
    assert not directory.exists()
