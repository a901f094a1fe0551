"""What a person is told about a bed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.api import admin_api
from testbed.bed import load_record
from testbed.inside import components, namespaces
from testbed.process import run

if TYPE_CHECKING:
    from pathlib import Path

STATES = {"R": "running", "S": "running", "D": "running", "T": "stopped", "Z": "ended"}


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
    listed = run(*namespaces(state), "ps", "-e", "-o", "pid=,state=")
    letters = {int(pid): letter[0] for pid, letter in map(str.split, listed.splitlines())}
    return {
        name: STATES.get(letters.get(pid, "Z"), "running")
        for name, pid in components(state).items()
    }
