"""What a person is told about a bed."""

from __future__ import annotations

from pathlib import Path

from testbed.api import admin_api
from testbed.bed import load_record
from testbed.inside import components, written_pids

# Letters of /proc/PID/stat; all others mean that it runs.
STATES = {"T": "stopped", "Z": "ended"}


def describe(state: Path) -> tuple[list[str], bool]:
    """Return the lines to print, and whether all of the bed works.

    Raises: BedError, when no bed is up or it died.
    """
    bed, _ = load_record(state)
    states = process_states(state)
    answers = admin_api(bed).is_ready()
    lines = [
        f"kubeconfig  {bed.path('kubeconfig')}",
        f"API server  {bed.api_url} {'is ready' if answers else 'does not answer'}",
        f"logs        {bed.path('logs')}",
        *(f"{states[name]:11} {name}" for name in sorted(states)),
    ]
    return lines, answers and set(states.values()) == {"running"}


def process_states(state: Path) -> dict[str, str]:
    """Return {component: running, stopped or ended}."""
    running = components(state)
    return {name: process_state(running.get(name)) for name in written_pids(state)}


def process_state(pid: int | None) -> str:
    """Return running, stopped or ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "ended"
    return STATES.get(stat.rpartition(")")[2].split()[0], "running")
