"""The resizer as a process: it ends in order, and finds its way into the cluster."""

import json
import signal
from pathlib import Path

import pytest

from tests.cluster.processes import resizer
from tests.support.controllers import is_terminating, stopped_controllers
from tests.support.sets import Json, Sets, statefulset, template_sizes


def test_sigterm_brings_an_absent_set_back_and_exits_0(
    sets: Sets, operator_namespace: str, key_dir: Path, tmp_path: Path
) -> None:
    """On SIGTERM a set that is away is created again within the grace time; exit code 0."""
    sets.make(statefulset(replicas=0))
    flags = (
        f"--kubeconfig={sets.cluster.kubeconfig}",
        f"--operator-namespace={operator_namespace}",
        f"--key-dir={key_dir}",
    )

    with resizer(sets, tmp_path, *flags) as process:
        with stopped_controllers(sets.cluster):
            sets.annotate("db", resize_0="2Gi")
            sets.wait(lambda: is_terminating(sets), "the set is going")
            process.popen.send_signal(signal.SIGTERM)
        code = process.wait()

    assert 0 == code, process.log
    assert {"data": "2Gi"} == template_sizes(sets.get("db"))
    assert "deletionTimestamp" not in sets.get("db")["metadata"]


def test_after_kill_9_the_next_process_brings_the_set_back(
    sets: Sets, operator_namespace: str, key_dir: Path, tmp_path: Path
) -> None:
    """A process killed in the gap leaves a set that the next process creates."""
    sets.make(statefulset(replicas=0))
    flags = (
        f"--kubeconfig={sets.cluster.kubeconfig}",
        f"--operator-namespace={operator_namespace}",
        f"--key-dir={key_dir}",
        "--no-leader-elect",
    )

    with resizer(sets, tmp_path, *flags) as process, stopped_controllers(sets.cluster):
        sets.annotate("db", resize_0="2Gi")
        sets.wait(lambda: is_terminating(sets), "the set is going")
        process.popen.kill()
        code = process.wait()
    with resizer(sets, tmp_path, *flags):
        sets.wait_status("db", "Done: data=2Gi")

    assert -signal.SIGKILL == code


def exec_kubeconfig(sets: Sets, directory: Path) -> Path:
    """Return a kubeconfig whose user's token comes from a program."""
    config: Json = json.loads(sets.cluster.kubeconfig.read_text())
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": sets.cluster.token},
    }
    program = directory / "token"
    program.write_text(f"#!/bin/sh\necho '{json.dumps(credential)}'\n")
    program.chmod(0o700)
    config["users"][0]["user"] = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(program),
            "interactiveMode": "Never",
        }
    }
    path = directory / "exec.kubeconfig"
    path.write_text(json.dumps(config))
    return path


@pytest.mark.parametrize("kind", ["token", "certificate", "exec"])
def test_a_kubeconfig_of_each_kind_works(
    sets: Sets, operator_namespace: str, key_dir: Path, tmp_path: Path, kind: str
) -> None:
    """A kubeconfig with a token, a client certificate or an exec plugin leads to a resize."""
    sets.make(statefulset(replicas=0))
    kubeconfig = {
        "token": sets.cluster.kubeconfig,
        "certificate": sets.cluster.certificate_kubeconfig,
        "exec": exec_kubeconfig(sets, tmp_path),
    }[kind]
    flags = (f"--operator-namespace={operator_namespace}", f"--key-dir={key_dir}")

    with resizer(
        sets, tmp_path, *flags, "--no-leader-elect", environment={"KUBECONFIG": str(kubeconfig)}
    ):
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done: data=2Gi")

    assert {"data": "2Gi"} == template_sizes(sets.get("db"))


def test_without_the_operator_namespace_it_ends_with_a_sentence(
    sets: Sets, key_dir: Path, tmp_path: Path
) -> None:
    """A wrong operator namespace ends the process with code 1 and its name."""
    flags = (
        f"--kubeconfig={sets.cluster.kubeconfig}",
        "--operator-namespace=nowhere",
        f"--key-dir={key_dir}",
    )

    with resizer(sets, tmp_path, *flags) as process:
        code = process.wait()

    assert 1 == code
    assert "nowhere" in process.log
    assert "Traceback" not in process.log
