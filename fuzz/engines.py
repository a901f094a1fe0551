"""The two engines: hypothesis chooses by strategy and shrinks, atheris by coverage."""

import importlib.util
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fuzz.choices import Drawn
from fuzz.targets import play, seeds

EXAMPLES_AT_ONCE = 500
_STOP_SECONDS = 120.0  # to load and to end, on a loaded machine
_EXECUTED = re.compile(r"number_of_executed_units: (\d+)")


class Found(Exception):
    """An input for which a property does not hold. Its text says what, and how to play it again."""


def has_coverage() -> bool:
    """Return whether the coverage-guided engine is there; it has no wheel for some Pythons."""
    return importlib.util.find_spec("atheris") is not None


def by_hypothesis(name: str, seconds: float) -> int:
    """Play a target for so long; return how many inputs.

    Raises: what the target raises, for the smallest input found.
    """
    count = 0

    @settings(
        max_examples=EXAMPLES_AT_ONCE,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def examples(data: st.DataObject) -> None:
        nonlocal count
        count += 1
        play(name, Drawn(data))

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        examples()
    return count


def by_coverage(name: str, seconds: int, kept: Path) -> int:
    """Play a target for so long in a process of its own; return how many inputs.

    Raises: Found; the input is kept in the directory `kept`.
    """
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds(name)):
            (Path(corpus) / f"seed-{number}").write_bytes(seed)
        ran = subprocess.run(
            [sys.executable, "-m", "fuzz.covered", name, str(seconds), str(kept), corpus],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds + _STOP_SECONDS,
            check=False,
        )
    told = ran.stdout.decode(errors="replace")
    executed = _EXECUTED.search(told)
    if ran.returncode != 0 or executed is None:
        raise Found(f"{told[-3000:]}\nThe input is in {kept}; play it again: {_replay(name, kept)}")
    return int(executed[1])


def _replay(name: str, kept: Path) -> str:
    files = sorted(kept.glob(f"{name}-*"), key=lambda each: each.stat().st_mtime)
    return f"python -m fuzz replay {name} {files[-1] if files else 'FILE'}"
