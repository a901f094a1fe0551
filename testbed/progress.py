"""Progress of long work on stderr: bars in a terminal, a line each tenth elsewhere."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import TaskID

TENTHS = 10


class Step(Protocol):
    """One piece of the work."""

    def begin(self, what: str, total: int) -> None:
        """Start a part of it with that many units, perhaps none."""

    def advance(self) -> None:
        """One unit more is done."""

    def finish(self) -> None:
        """All is done, also units that nobody counted."""


def say(words: str) -> None:
    """Tell a person something at once; stdout is for answers that programs read."""
    print(words, file=sys.stderr, flush=True)


@contextlib.contextmanager
def steps() -> Iterator[Callable[[str], Step]]:
    """Yield a function that adds a step by its name."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield LineStep
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield lambda name: BarStep(progress, name)


class BarStep:
    """A step drawn in a terminal."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._name = name
        self._task: TaskID = progress.add_task(name, total=None)

    def begin(self, what: str, total: int) -> None:
        description = f"{self._name}: {what}"
        self._progress.reset(self._task, description=description, total=total or None)

    def advance(self) -> None:
        self._progress.advance(self._task)

    def finish(self) -> None:
        self._progress.update(self._task, description=f"{self._name}: done", total=1, completed=1)


class LineStep:
    """A step told line by line."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._what = ""
        self._total = 0
        self._done = 0

    def begin(self, what: str, total: int) -> None:
        self._what, self._total, self._done = what, total, 0
        say(f"{self._name}: {what}")

    def advance(self) -> None:
        self._done += 1
        done, total = self._done, self._total
        if total and done * TENTHS // total > (done - 1) * TENTHS // total:
            say(f"{self._name}: {self._what} {done} of {total}")

    def finish(self) -> None:
        say(f"{self._name}: done")
