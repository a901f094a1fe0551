"""Programs the bed runs, and waiting for what they do."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_SECONDS = 0.05


class BedError(Exception):
    """The test bed cannot do what was asked; the text says why and what to do."""


def run(*command: str, stdin: str | None = None, cwd: Path | None = None) -> str:
    """Return what a command prints.

    Raises: BedError, with the command and what it said, when it fails or does not exist.
    """
    try:
        done = subprocess.run(
            command, input=stdin, cwd=cwd, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise BedError(f"{command[0]}: no such program") from None
    if done.returncode:
        raise BedError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def succeeds(*command: str) -> bool:
    """Tell whether a command ends with status 0."""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Return once the condition holds.

    Raises: BedError, naming ``what``, when it does not within the seconds.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise BedError(f"{what}: not within {seconds:g} s")
        time.sleep(POLL_SECONDS)


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process for good: its id is used again one day, id and start time are not."""

    pid: int
    started_ticks: int

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        """Return the identity of a living process; OSError when there is none."""
        return cls(pid, started_ticks(pid))

    def is_alive(self) -> bool:
        """Tell whether exactly this process still exists."""
        try:
            return started_ticks(self.pid) == self.started_ticks
        except OSError:
            return False

    def kill(self, seconds: float) -> None:
        """End the process at once and return when it has ended.

        Raises: BedError, when it still lives after the seconds.
        """
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            # Asked after the descriptor holds the process: the id cannot be used again now.
            if self.is_alive():
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                if not select.select([descriptor], [], [], seconds)[0]:
                    raise BedError(f"process {self.pid}: still alive {seconds:g} s after SIGKILL")
        finally:
            os.close(descriptor)


def started_ticks(pid: int) -> int:
    """Return when a process started, in clock ticks since boot; OSError when there is none."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[19])


def first_child(pid: int) -> int | None:
    """Return the id of a process's first child, None while it has none."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else None
