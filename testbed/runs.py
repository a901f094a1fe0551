"""Beds of one test run: started once, shared by all worker processes, ended with the run.

The process that a person started makes a run directory; workers of pytest-xdist are told its name.
Whoever first needs a bed starts it there, under a lock. The first process ends them all. A run that
was killed leaves its directory behind; the next run ends its beds. The benchmarks are runs too.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from testbed import lifecycle
from testbed.bed import load_record
from testbed.cache import HERE, cache_directory, locked
from testbed.process import BedError, ProcessId

if TYPE_CHECKING:
    from pathlib import Path

OWNER = "owner.json"


def runs_directory() -> Path:
    """Return where the directories of all runs are."""
    return cache_directory() / "runs"


def begin() -> Path:
    """Return the directory of a new run, after ending what killed runs left."""
    with locked(runs_directory()):
        for directory in runs_directory().iterdir():
            if not owner(directory).is_alive():
                end_killed(directory)
        directory = runs_directory() / secrets.token_hex(4)
        draft = directory.with_suffix(".draft")
        draft.mkdir()
        (draft / OWNER).write_text(json.dumps(asdict(ProcessId.of(os.getpid()))))
        draft.rename(directory)
    return directory


def owner(directory: Path) -> ProcessId:
    """Return the process of a run; one that nobody can be when it was killed at once."""
    try:
        return ProcessId(**json.loads((directory / OWNER).read_text()))
    except FileNotFoundError:
        return ProcessId(0, 0)


def end_killed(directory: Path) -> None:
    """End what a killed run left; what cannot be ended is told, and tried again by the next run."""
    try:
        end(directory)
    except (BedError, OSError) as error:
        print(f"testbed: a killed run is left in {directory}: {error}", file=sys.stderr)


def end(directory: Path) -> None:
    """End the beds of a run and remove its directory, logs and all."""
    for state in directory.iterdir():
        if state.is_dir():
            lifecycle.down(state)
    shutil.rmtree(directory)


def bed_state(directory: Path, name: str, *flags: str) -> Path:
    """Return the state of a bed of this run, started now if no worker has.

    A program of its own starts it, so that nothing of this process gets into it.
    Raises: BedError, with what ``up`` said.
    """
    state = directory / name
    with locked(directory / f"{name}.lock"):
        if not is_up(state):
            command = [sys.executable, "-m", "testbed", "up", "--state", str(state), *flags]
            environment = os.environ | {"PYTHONPATH": str(HERE.parent)}
            done = subprocess.run(
                command, capture_output=True, text=True, env=environment, check=False
            )
            if done.returncode:
                raise BedError(done.stderr.strip())
    return state


def is_up(state: Path) -> bool:
    """Tell whether a bed is up in a state directory."""
    try:
        return load_record(state)[1].is_alive()
    except BedError:
        return False
