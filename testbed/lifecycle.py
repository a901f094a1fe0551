"""Starting and ending a bed.

All of a bed runs in network, mount and process namespaces of its own, as children of one process.
Ending that process ends all of it: the kernel kills every other, unmounts, frees loop devices and
drops links, rules and the Pods' namespaces. So ``down`` does the same after any crash. What is left
to remove are the control groups and one route; STATE/bed.json names them from before they exist.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from testbed import cgroups, network
from testbed.api import admin_api
from testbed.bed import NODE_NAME, RECORD, Bed, load_record, save_record
from testbed.cache import HERE
from testbed.credentials import write_credentials
from testbed.csi.volumes import DRIVER_NAME
from testbed.node import NODE_DIRECTORIES, write_node_files
from testbed.objects import first_objects
from testbed.process import BedError, ProcessId, first_child, run, wait_until

if TYPE_CHECKING:
    from testbed.api import Api, Object
    from testbed.bed import Options

MARKER = ".rso-testbed"
# All but the logs, the record of CSI calls and the marker.
LARGE_DIRECTORIES = ("etcd", "node", "volumes")


def up(state: Path, programs: Path, options: Options) -> Bed:
    """Start a bed and return when it is ready; one with the same state is ended first.

    Raises: BedError, which names the logs; nothing of the bed is left then.
    """
    state = state.resolve()
    down(state)
    prepare_state(state)
    process = start_namespaces(state)
    try:
        wait_until(lambda: first_child(process.pid), 10, "the namespaces")
        bed = start(process, state, programs, options)
        wait_for_bed(bed)
    except BaseException as error:
        end(process, state)
        if isinstance(error, BedError):
            raise BedError(f"{error}; see {state / 'logs'}") from error
        raise
    finally:
        # The bed outlives this process: it is ended by `down`, not waited for.
        process.returncode = 0
    return bed


def prepare_state(state: Path) -> None:
    """Empty the state directory, if it is one.

    Raises: BedError, when it is somebody else's or a node would hide it.
    """
    if str(state).startswith(("/run/", *(f"{path}/" for path in NODE_DIRECTORIES))):
        raise BedError(f"{state}: a node hides /run, /var/lib and /var/log; use another directory")
    if state.exists():
        if any(state.iterdir()) and not (state / MARKER).exists():
            raise BedError(f"{state} is not empty and no state of a test bed; it is left alone")
        shutil.rmtree(state)
    for directory in ("logs", "pids", "faults"):
        (state / directory).mkdir(parents=True)
    (state / MARKER).touch()


def start_namespaces(state: Path) -> subprocess.Popen[str]:
    """Start the namespaces; their first process waits for the bed on its stdin."""
    with (state / "logs" / "supervisor.log").open("ab") as log:
        return subprocess.Popen(
            [
                *("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child"),
                *("--mount-proc", "--propagation", "private"),
                *(sys.executable, "-m", "testbed", "supervise"),
            ],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            text=True,
            cwd="/",
            start_new_session=True,
            # csi-provisioner would prefer a KUBECONFIG of the caller to its own.
            env={"PATH": os.environ["PATH"], "HOME": str(state), "PYTHONPATH": str(HERE.parent)},
        )


def start(process: subprocess.Popen[str], state: Path, programs: Path, options: Options) -> Bed:
    """Give the namespaces their network and files, then the supervisor its bed."""
    first = first_child(process.pid)
    if first is None or process.stdin is None:
        raise BedError("the namespaces ended at once")
    bed = Bed(state, programs, *network.take_link(first), options)
    # Strictly before anything that outlives the processes.
    save_record(bed, ProcessId.of(first))
    network.connect(bed, first)
    write_credentials(bed)
    if options.node:
        cgroups.make(bed.cgroup)
        write_node_files(bed)
    process.stdin.write(bed.to_json() + "\n")
    process.stdin.close()
    return bed


def wait_for_bed(bed: Bed) -> None:
    """Return when the API server answers, the first objects exist and the nodes are ready."""
    api = admin_api(bed)
    wait_until(lambda: alive(bed) and api.is_ready(), 60, "kube-apiserver")
    for obj in first_objects(bed):
        api.apply(obj)
    if bed.options.node:
        wait_until(lambda: alive(bed) and has_driver(api), 60, "the node's CSI driver")
    if bed.options.node or bed.options.fake_nodes:
        wait_until(lambda: alive(bed) and nodes_are_ready(api), 60, "the nodes")


def alive(bed: Bed) -> bool:
    """Return True; BedError with the end of its log when a program cannot start."""
    if (bed.path("failed")).exists():
        name = bed.path("failed").read_text()
        last = bed.path("logs", f"{name}.log").read_text(errors="replace").splitlines()[-3:]
        raise BedError("\n".join([f"{name} ends as soon as it starts:", *last]))
    if not load_record(bed.state)[1].is_alive():
        last = bed.path("logs", "supervisor.log").read_text().splitlines()[-1:]
        raise BedError("\n".join(["the supervisor ended:", *last]))
    return True


def has_driver(api: Api) -> bool:
    node = api.get("csinode", NODE_NAME)
    drivers = (node or {}).get("spec", {}).get("drivers") or []
    return any(driver["name"] == DRIVER_NAME for driver in drivers)


def nodes_are_ready(api: Api) -> bool:
    nodes = api.list("node")
    return bool(nodes) and all(is_ready(node) for node in nodes)


def is_ready(node: Object) -> bool:
    conditions = node["status"].get("conditions", [])
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def end(process: subprocess.Popen[str], state: Path) -> None:
    """End a bed that ``up`` could not finish."""
    if (state / RECORD).exists():
        down(state)
    process.kill()
    process.wait()


def down(state: Path) -> bool:
    """End the bed of a state directory, whatever became of it; tell whether there was one.

    Raises: BedError, when something of it stays.
    """
    state = state.resolve()
    if not (state / RECORD).exists():
        return False
    bed, first = load_record(state)
    first.kill(seconds=30)
    network.disconnect(bed)
    if bed.options.node:
        cgroups.remove(bed.cgroup)
        wait_until(lambda: not loop_devices(bed), 30, "the end of the bed's loop devices")
    for name in LARGE_DIRECTORIES:
        shutil.rmtree(bed.path(name), ignore_errors=True)
    bed.path(RECORD).unlink()
    return True


def loop_devices(bed: Bed) -> list[str]:
    """Return the files of the bed that loop devices still hold."""
    files = run("losetup", "--list", "--noheadings", "--output", "BACK-FILE").splitlines()
    return [path for path in files if Path(path.strip()).is_relative_to(bed.state)]
