"""What a figure was measured on."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def ran_on(kubernetes: str | None) -> dict[str, Any]:
    """Return machine, versions, commit and time; the load tells how busy the machine was."""
    return {
        "cpu": _field("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory": _field("/proc/meminfo", "MemTotal"),
        "load_average": [round(each, 2) for each in os.getloadavg()],
        "kernel": platform.release(),
        "kubernetes": kubernetes,
        "python": platform.python_version(),
        "commit": _git("rev-parse", "--short", "HEAD"),
        "is_clean": not _git("status", "--porcelain", "--", "src"),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),  # noqa: TID251  a real date
    }


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, text = line.partition(":")
        if key.strip() == name:
            return text.strip()
    return "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(HERE), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
