"""Starting and ending beds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed.bed import RECORD, load_record
from testbed.cache import HERE
from testbed.cluster import Cluster
from testbed.fixtures import need_bed
from testbed.inside import components
from testbed.process import first_child, wait_until
from tests.testbed.machine import Traces, changed_sysctls, lives, output, sysctls

if TYPE_CHECKING:
    from collections.abc import Iterator


def command_line(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Return what `python -m testbed` answers."""
    return subprocess.run(
        [sys.executable, "-m", "testbed", *arguments],
        capture_output=True,
        text=True,
        cwd=HERE.parent,
        check=False,
    )


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """Yield a state directory whose bed is ended in any case."""
    need_bed(is_node=True)
    directory = tmp_path / "bed"
    yield directory
    assert command_line("down", "--state", str(directory)).returncode == 0


def start(state: Path, *flags: str) -> None:
    up = command_line("up", "--state", str(state), *flags)
    assert (up.returncode, up.stderr) == (0, "")


def stateful_pod(cluster: Cluster) -> None:
    """Make a Pod with a mounted volume and return when it runs."""
    namespace = cluster.make_namespace()
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "btrfs",
            "resources": {"requests": {"storage": "128Mi"}},
        },
    }
    container = {
        "name": "main",
        "image": "localhost/testbed/busybox:1",
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "db"},
        "spec": {"containers": [container], "volumes": [volume]},
    }
    cluster.apply(claim, namespace)
    cluster.apply(pod, namespace)
    cluster.wait(lambda: phase(cluster, namespace) == "Running", 60, "the Pod")


def phase(cluster: Cluster, namespace: str) -> str | None:
    pod = cluster.get("pod", "db", namespace) or {}
    found: str | None = pod.get("status", {}).get("phase")
    return found


@pytest.mark.node
@pytest.mark.parametrize(
    "ending",
    [
        pytest.param("down", id="ended by down"),
        pytest.param("supervisor", id="after kill -9 of the supervisor"),
        pytest.param("namespaces", id="after kill -9 of the process that made the namespaces"),
    ],
)
def test_down_leaves_nothing_of_a_node_with_pods(state: Path, ending: str) -> None:
    """No process, mount, loop device, link, route, rule, cgroup or changed setting stays."""
    settings, rules = sysctls(), output("nft", "list", "ruleset")
    start(state, "--node")
    stateful_pod(Cluster(state))
    supervisor = load_record(state)[1].pid
    with Traces.of(state) as traces:
        assert traces.left()
        if ending == "supervisor":
            os.kill(supervisor, signal.SIGKILL)
        if ending == "namespaces":
            os.kill(parent(supervisor), signal.SIGKILL)
        down = command_line("down", "--state", str(state))

        assert (down.returncode, down.stderr) == (0, "")
        assert traces.left() == []
    assert changed_sysctls(settings) == {}
    assert output("nft", "list", "ruleset") == rules


def parent(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


@pytest.mark.node
@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("supervisor.log", id="before anything is written down"),
        pytest.param(RECORD, id="when the bed is written down"),
        pytest.param("kubeconfig", id="when the credentials are written"),
        pytest.param("logs/kube-apiserver.log", id="when programs start"),
        pytest.param("logs/kubelet.log", id="when the node starts"),
    ],
)
def test_killed_up_leaves_nothing_after_down(state: Path, moment: str) -> None:
    """Wherever ``up`` is killed, ``down`` ends all that it began."""
    command = [sys.executable, "-m", "testbed", "up", "--node", "--state", str(state)]
    up = subprocess.Popen(command, cwd=HERE.parent, stdout=subprocess.DEVNULL)
    reached = state / "logs" / moment if moment == "supervisor.log" else state / moment
    wait_until(reached.exists, 30, moment)
    unshare = first_child(up.pid)
    up.kill()
    up.wait()
    with Traces.of(state) if (state / RECORD).exists() else nullcontext() as traces:
        command_line("down", "--state", str(state))

        wait_until(lambda: not lives(unshare), 10, "the end of the namespaces")
        assert (traces.left() if traces else []) == []


@pytest.mark.cluster
def test_up_again_ends_the_bed_before(state: Path) -> None:
    """A second ``up`` with the same state replaces the first bed."""
    start(state)
    first = load_record(state)[1]
    start(state)

    assert not first.is_alive()
    assert Cluster(state).api.is_ready()


@pytest.mark.cluster
def test_status_tells_a_stopped_program(state: Path) -> None:
    """``status`` ends with 1 and names a program that is stopped, and with 0 when all run."""
    start(state)
    healthy = command_line("status", "--state", str(state))
    command_line("signal", "--state", str(state), "kube-scheduler", "STOP")
    stopped = command_line("status", "--state", str(state))

    assert (healthy.returncode, stopped.returncode) == (0, 1)
    assert "running     kube-scheduler" in healthy.stdout.splitlines()
    assert "stopped     kube-scheduler" in stopped.stdout.splitlines()


@pytest.mark.cluster
def test_status_of_a_dead_bed_says_so(state: Path) -> None:
    """After a crash ``status`` says that the bed died and how to clean up."""
    start(state)
    load_record(state)[1].kill(seconds=10)
    status = command_line("status", "--state", str(state))

    assert status.returncode == 1
    assert "died" in status.stderr
    assert "python -m testbed down" in status.stderr


@pytest.mark.cluster
def test_enter_runs_a_command_inside(state: Path) -> None:
    """``enter`` sees the bed's network and passes on the status of the command."""
    start(state)
    inside = command_line("enter", "--state", str(state), "ip", "-brief", "address")
    failing = command_line("enter", "--state", str(state), "false")

    assert load_record(state)[0].address in inside.stdout
    assert failing.returncode == 1


@pytest.mark.cluster
def test_signal_names_the_components_there_are(state: Path) -> None:
    """A misspelled component is answered with the right names."""
    start(state)
    answer = command_line("signal", "--state", str(state), "apiserver", "STOP")

    assert answer.returncode == 1
    assert "kube-apiserver" in answer.stderr


@pytest.mark.cluster
def test_up_with_a_bad_flag_fails_soon_and_names_it(state: Path) -> None:
    """A program that cannot start ends ``up`` with what it said, and nothing stays."""
    up = command_line("up", "--state", str(state), "--apiserver-flag=--no-such-flag")

    assert up.returncode == 1
    assert "kube-apiserver" in up.stderr
    assert "no-such-flag" in up.stderr
    assert not (state / RECORD).exists()


@pytest.mark.cluster
def test_flags_reach_the_programs(state: Path) -> None:
    """Client limits are the defaults, and further flags come after the bed's own."""
    start(state, "--controller-manager-flag=--controllers=*,-statefulset-controller")
    pid = components(state)["kube-controller-manager"]
    arguments = Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")

    assert "--kube-api-qps=20" in arguments
    assert "--kube-api-burst=30" in arguments
    assert arguments[-1] == "--controllers=*,-statefulset-controller"


def test_up_leaves_a_foreign_directory_alone(tmp_path: Path) -> None:
    """A directory that holds something else is refused and not emptied."""
    need_bed(is_node=False)
    kept = tmp_path / "letter"
    kept.touch()
    up = command_line("up", "--state", str(tmp_path))

    assert up.returncode == 1
    assert "left alone" in up.stderr
    assert kept.exists()


def test_down_without_a_bed_is_no_error(tmp_path: Path) -> None:
    """``down`` may be said twice."""
    need_bed(is_node=False)
    assert command_line("down", "--state", str(tmp_path)).returncode == 0
