"""What a figure was measured on."""

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Start:
    """What is read before anything is measured: the code may be edited while a bench runs."""

    commit: str | None
    is_clean: bool | None
    load_average: list[float]
    date: str


def start() -> Start:
    """Return the state of the code and of the machine now; None: there is no Git to ask."""
    commit = _git("rev-parse", "--short", "HEAD")
    changes = _git("status", "--porcelain", "--", "src")
    is_clean = None if changes is None else not changes
    now = datetime.now(UTC).isoformat(timespec="seconds")  # noqa: TID251  a real date
    return Start(commit, is_clean, _load(), now)


def ran_on(begun: Start, kubernetes: str | None) -> dict[str, Any]:
    """Return machine, versions, commit and time; the load tells how busy the machine was."""
    return {
        "cpu": _field("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory": _field("/proc/meminfo", "MemTotal"),
        "load_average_at_start": begun.load_average,
        "load_average_at_end": _load(),
        "kernel": platform.release(),
        "kubernetes": kubernetes,
        "python": platform.python_version(),
        "commit": begun.commit,
        "is_clean": begun.is_clean,
        "date": begun.date,
    }


def _load() -> list[float]:
    return [round(each, 2) for each in os.getloadavg()]


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, text = line.partition(":")
        if key.strip() == name:
            return text.strip()
    return "unknown"


def _git(*arguments: str) -> str | None:
    """Return what git says; None, if it is not there or this is no repository."""
    command = ["git", "-C", str(HERE.parent), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
