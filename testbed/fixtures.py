"""pytest fixtures: a cluster once per run, a namespace for each test.

``cluster`` is a control plane with storage and KWOK nodes, ``node_cluster`` one with a real node;
``namespace`` is in the one that the test uses. With RSO_TESTBED_STATE=DIRECTORY a bed that is
already up is used instead of both, for fast work by hand.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed import requirements, runs
from testbed.cache import built_programs
from testbed.cluster import Cluster
from testbed.process import BedError
from testbed.report import not_run

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN_KEY = pytest.StashKey[Path]()
WORKER_INPUT = "rso_testbed_run"
CONTROL_PLANE_FLAGS = ("--storage", "--fake-nodes", "3")
NODE_FLAGS = ("--node", "--fake-nodes", "1")


def run_directory(config: pytest.Config) -> Path:
    """Return the directory of this run; a worker of pytest-xdist was told it."""
    told = getattr(config, "workerinput", None)
    if told is not None:
        return Path(told[WORKER_INPUT])
    if RUN_KEY not in config.stash:
        config.stash[RUN_KEY] = runs.begin()
    return config.stash[RUN_KEY]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tell a worker of pytest-xdist the run's directory."""
    if not unmet(is_node=False):
        directory = run_directory(node.config)  # type: ignore[attr-defined] # xdist has no types
        node.workerinput[WORKER_INPUT] = str(directory)  # type: ignore[attr-defined] # likewise


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the run's beds, whatever its tests came to; only the first process has begun one."""
    if RUN_KEY in config.stash:
        runs.end(config.stash[RUN_KEY])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was not run and why."""
    terminalreporter.section("not run")
    for line in not_run(terminalreporter):
        terminalreporter.write_line(line)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the fixtures it uses, before ``-m`` chooses."""
    for item in items:
        used = getattr(item, "fixturenames", ())
        if "node_cluster" in used:
            item.add_marker(pytest.mark.node)
        elif "cluster" in used or "namespace" in used:
            item.add_marker(pytest.mark.cluster)


def unmet(*, is_node: bool) -> str:
    """Return what a bed lacks here, or nothing."""
    try:
        requirements.check_up(node=is_node)
        built_programs()
    except BedError as error:
        return str(error)
    return ""


def need_bed(*, is_node: bool) -> None:
    """Skip the test when no bed can run here; fail in CI, where one must."""
    problem = unmet(is_node=is_node)
    if problem and os.environ.get("CI"):
        pytest.fail(problem, pytrace=False)
    if problem:
        pytest.skip(problem)


def shared_cluster(request: pytest.FixtureRequest, name: str, flags: tuple[str, ...]) -> Cluster:
    chosen = os.environ.get("RSO_TESTBED_STATE")
    if chosen:
        return Cluster(Path(chosen).resolve())
    need_bed(is_node="--node" in flags)
    state = runs.bed_state(run_directory(request.config), name, *flags)
    return Cluster(state, is_passing="--node" not in flags)


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """Return a control plane with storage and KWOK nodes; all tests of the run share it."""
    return shared_cluster(request, "control-plane", CONTROL_PLANE_FLAGS)


@pytest.fixture(scope="session")
def node_cluster(request: pytest.FixtureRequest) -> Cluster:
    """Return a cluster with a real node that mounts volumes; all tests of the run share it."""
    return shared_cluster(request, "node", NODE_FLAGS)


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield a namespace of the test's own, in ``node_cluster`` if the test uses that.

    It is left afterwards; on a node its Pods end with it, nobody waits for that.
    """
    name = "node_cluster" if "node_cluster" in request.fixturenames else "cluster"
    used: Cluster = request.getfixturevalue(name)
    made = used.make_namespace()
    yield made
    used.leave_namespace(made)
