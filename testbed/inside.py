"""Commands and signals in the namespaces of a bed."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from testbed.bed import load_record
from testbed.process import BedError, run

if TYPE_CHECKING:
    from pathlib import Path


def namespaces(state: Path) -> tuple[str, ...]:
    """Return the command that runs another one in a bed.

    Raises: BedError, when the bed is not up.
    """
    _, first = load_record(state)
    if not first.is_alive():
        raise BedError(f"the test bed in {state} died; end it: python -m testbed down")
    return ("nsenter", "--net", "--mount", "--pid", "--target", str(first.pid))


def enter_bed(state: Path, command: list[str]) -> int:
    """Run a command in a bed, with this terminal; return its status."""
    return subprocess.run([*namespaces(state), *command], check=False).returncode


def components(state: Path) -> dict[str, int]:
    """Return {name of a component: its process id inside the bed}."""
    return {path.name: int(path.read_text()) for path in sorted((state / "pids").iterdir())}


def send_signal(state: Path, component: str, signal: str) -> None:
    """Send a signal, by a name such as STOP, CONT or KILL.

    Raises: BedError, with the components there are, when this one is not.
    """
    pids = components(state)
    if component not in pids:
        raise BedError(f"no component {component}; there are: {', '.join(pids)}")
    run(*namespaces(state), "kill", "-s", signal, str(pids[component]))
