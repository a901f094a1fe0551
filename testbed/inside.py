"""Commands and signals in the namespaces of a bed."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.bed import load_record
from testbed.process import BedError

if TYPE_CHECKING:
    from testbed.process import ProcessId


def living(state: Path) -> ProcessId:
    """Return the first process of a bed.

    Raises: BedError, when the bed is not up.
    """
    _, first = load_record(state)
    if not first.is_alive():
        raise BedError(f"the test bed in {state} died; end it: python -m testbed down")
    return first


def enter_bed(state: Path, command: list[str]) -> int:
    """Run a command in a bed, with this terminal; return its status."""
    inside = ("nsenter", "--net", "--mount", "--pid", "--target", str(living(state).pid))
    return subprocess.run([*inside, *command], check=False).returncode


def components(state: Path) -> dict[str, int]:
    """Return {name of a component that runs: its process id on this machine}.

    Raises: BedError, when the bed is not up.
    """
    first = living(state)
    children = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
    here = {inner_pid(pid): int(pid) for pid in children}
    return {name: here[pid] for name, pid in written_pids(state).items() if pid in here}


def written_pids(state: Path) -> dict[str, int]:
    """Return {name of a component: its process id inside the bed}, also of one that ended."""
    return {path.name: int(path.read_text() or 0) for path in sorted((state / "pids").iterdir())}


def inner_pid(pid: str) -> int:
    """Return the id of a process inside its own namespace; 0 when it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    [line] = [line for line in status.splitlines() if line.startswith("NSpid:")]
    return int(line.split()[-1])


def send_signal(state: Path, component: str, name: str) -> None:
    """Send a signal, by a name such as STOP, CONT or KILL.

    Raises: BedError, with the components that run, when this one does not, and for no signal.
    """
    number = signal.__dict__.get(f"SIG{name.removeprefix('SIG')}")
    if not isinstance(number, signal.Signals):
        raise BedError(f"no signal {name}; such as STOP, CONT or KILL")
    running = components(state)
    if component not in running:
        raise BedError(f"no component {component} runs; there are: {', '.join(running)}")
    os.kill(running[component], number)
