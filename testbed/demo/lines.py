"""The operator's log as a person follows it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# What a person follows; the rest is the same in each line of one set, or long.
SHOWN = ("claim", "old", "new", "status", "error")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: when, in seconds since 1970, and what."""

    seconds: float
    text: str


class Log:
    """A log of JSON lines that grows; each line is read once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_bytes = 0

    def new_lines(self) -> list[Line]:
        """Return the whole lines since the last call."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._read_bytes)
            text = file.read()
        text = text[: text.rfind(b"\n") + 1]
        self._read_bytes += len(text)
        return [parse(line) for line in text.decode(errors="replace").splitlines()]


def parse(line: str) -> Line:
    """Return a line in words: ``claim grows claim=data-db-0 old=300Mi new=1Gi``."""
    try:
        fields = json.loads(line)
        seconds = datetime.fromisoformat(fields["time"]).timestamp()
    except (ValueError, KeyError, TypeError):
        return Line(0, line)
    pairs = [f"{key}={fields[key]}" for key in SHOWN if key in fields]
    return Line(seconds, " ".join([fields["message"], *pairs]))
