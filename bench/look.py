"""One look of the autoscaler at 10,000 claims on 500 nodes, whose kubelets answer over TLS."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.machine import ran_on, start
from tests.support.kubelets import free_port

NODES, PODS, CLAIMS, LOOKS = 500, 110, 20, 5
SECONDS = 300.0
GOALS = {"cpu_seconds": 2.0, "mib_above_idle": 40.0}


def measure(_: Path | None) -> list[dict[str, Any]]:
    """Return one result: the middle one of five looks after the first, and the highest memory."""
    begun, port = start(), free_port()
    with tempfile.TemporaryDirectory() as directory, _kubelets(directory, port) as answer_bytes:
        authority = Path(directory, "authority.crt")
        words = ("bench.asker", authority, port, NODES, CLAIMS, LOOKS + 1)
        told = json.loads(_run(*words))
    seconds = sorted(each["cpu_seconds"] for each in told["looks"][1:])
    values = {
        "cpu_seconds": seconds[len(seconds) // 2],
        "cpu_seconds_of_the_first": told["looks"][0]["cpu_seconds"],
        "seconds": sorted(each["seconds"] for each in told["looks"][1:])[LOOKS // 2],
        "requests": NODES,
        "claims_judged": told["judged"],
        "idle_mib": told["idle_mib"],
        "mib_above_idle": round(told["peak_mib"] - told["idle_mib"], 1),
        "answer_bytes": answer_bytes,
    }
    return [
        {
            "figure": "look",
            "unit": "seconds, MiB",
            "options": {"nodes": NODES, "pods": PODS, "claims": NODES * CLAIMS},
            "values": values,
            "goal": GOALS,
            "is_met": all(values[name] < goal for name, goal in GOALS.items()),
            "ran_on": ran_on(begun, "none"),
        }
    ]


@contextmanager
def _kubelets(directory: str, port: int) -> Iterator[int]:
    """Run all kubelets in a process of their own; yield the bytes of an answer."""
    words = ("bench.kubelets", directory, port, NODES, PODS, CLAIMS)
    command = [sys.executable, "-m", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            told = process.stdout.readline() if process.stdout else ""
            yield int(told.removeprefix("ready"))
        finally:
            process.kill()


def _run(*words: object) -> str:
    command = [sys.executable, "-m", *map(str, words)]
    return subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, timeout=SECONDS
    ).stdout


if __name__ == "__main__":
    print(json.dumps(measure(None), indent=2))
