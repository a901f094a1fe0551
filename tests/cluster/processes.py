"""The operator's parts as processes of their own, as a cluster runs them."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.sets import Sets

EXIT_SECONDS = 40.0


class Process:
    """A running part and what it has written so far."""

    def __init__(self, popen: subprocess.Popen[bytes], output: Path) -> None:
        self.popen = popen
        self._output = output

    @property
    def log(self) -> str:
        """Both of its streams."""
        return self._output.read_text()

    def wait(self) -> int:
        """Return its exit code once it has ended."""
        return self.popen.wait(EXIT_SECONDS)


@contextmanager
def resizer(
    sets: Sets, directory: Path, *flags: str, environment: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """Run `rso resizer` for the namespace of the test; it is killed at the end if it still runs."""
    command = ("resizer", "--metrics-bind=0", *flags, f"--namespace={sets.namespace}")
    with part(directory, *command, environment=environment) as process:
        yield process


@contextmanager
def part(
    directory: Path, *command: str, environment: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """Run `rso` with these words; it is killed at the end if it still runs."""
    output = directory / f"{command[0]}.log"
    program = Path(sys.executable).with_name("rso")
    chosen = {key: value for key, value in os.environ.items() if not key.startswith("KUBE")}
    with output.open("wb") as file:
        popen = subprocess.Popen(
            [str(program), *command],
            stdout=file,
            stderr=subprocess.STDOUT,
            env=chosen | dict(environment or {}),
        )
    try:
        yield Process(popen, output)
    finally:
        popen.kill()
        popen.wait()
