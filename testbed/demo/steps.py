"""What the demo does, step by step, and how long each takes."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Step:
    """One step; ``seconds`` is None while it is under way."""

    name: str
    text: str
    began: float
    seconds: float | None = None

    @property
    def elapsed_seconds(self) -> float:
        """How long it took or has taken so far."""
        return time.monotonic() - self.began if self.seconds is None else self.seconds


@dataclass
class Steps:
    """The steps so far."""

    done: list[Step] = field(default_factory=list)

    @contextlib.contextmanager
    def step(self, name: str, text: str) -> Iterator[Step]:
        """Do a step; its text may be changed to tell what came of it."""
        step = Step(name, text, time.monotonic())
        self.done.append(step)
        yield step
        # Not after a failure: then it stands there as what was under way.
        step.seconds = step.elapsed_seconds

    @property
    def total_seconds(self) -> float:
        """The time from the first step until now."""
        return time.monotonic() - self.done[0].began if self.done else 0.0
