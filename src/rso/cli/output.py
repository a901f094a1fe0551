"""Draws answers: data first, then text. Nothing here knows what it draws.

What the cluster says is made printable first: an annotation of somebody else must not steer a
terminal (safety T17).
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import click
import msgspec
import yaml
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from rso.kube.errors import printable

SENTENCE_CHARACTERS = 10_000  # a terminal may show more than a status annotation
_UNBOUNDED = 10_000  # columns: a name that is cut off cannot be copied

STYLES = {
    "Done": "green",
    "Growing": "cyan",
    "Waiting": "yellow",
    "Blocked": "red",
    "Absent": "bold red",
}


def console() -> Console:
    """Return where people read."""
    return Console(highlight=False, markup=False, emoji=False)


def shown(text: object) -> str:
    """Return text of the cluster for a terminal: one line, nothing that steers it."""
    return printable(str(text), SENTENCE_CHARACTERS)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Return rows under headings, in columns as kubectl draws them."""
    drawn = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="")
    for column in columns:
        drawn.add_column(column, no_wrap=True)
    for row in rows:
        drawn.add_row(*(Text(shown(cell), STYLES.get(cell, "")) for cell in row))
    return drawn


def draw(*parts: RenderableType) -> None:
    """Print parts one below the other; a terminal that is too narrow breaks lines itself.

    Without a terminal there are no colours, and no blanks at the ends of lines.
    """
    screen = Console(highlight=False, markup=False, emoji=False, width=_UNBOUNDED)
    with screen.capture() as captured:
        screen.print(*parts, sep="\n")
    for line in captured.get().splitlines():
        click.echo(line.rstrip(), color=screen.is_terminal)


def emit(data: Any, output: str) -> None:  # noqa: ANN401  any plain data
    """Print data as `json` or `yaml`."""
    click.echo(as_text(msgspec.to_builtins(data), output), nl=False)


def as_text(data: Any, output: str) -> str:  # noqa: ANN401  any plain data
    """Return data as `json` or `yaml` text."""
    if output == "json":
        return json.dumps(data, indent=2) + "\n"
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)


def note(sentence: str) -> None:
    """Say something beside the answer, where a pipe does not take it for the answer."""
    click.echo(f"rso: {shown(sentence)}", err=True)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show that something is being done, where a person looks at a terminal."""
    screen = Console(stderr=True, highlight=False, markup=False)
    with screen.status(f"{what} ...") if screen.is_terminal else nullcontext():
        yield
