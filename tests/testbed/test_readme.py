"""README shows the demo and the commands as they are."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import click
import pytest

from rso.cli.main import rso
from testbed.cache import HERE
from testbed.demo.scene import PODS, Scene
from testbed.demo.screen import pods_table
from testbed.demo.summary import checks, times
from testbed.writer import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = HERE.parent
README = (ROOT / "README.md").read_text()
PAGES = ["README.md", "docs/user/cli.md", "docs/user/runbook.md", "SECURITY.md"]
COMMAND = re.compile(r"^(?:\$ )?(?:kubectl )?rso (?P<arguments>.+)$", re.MULTILINE)


def test_the_promises_in_readme_are_those_of_the_demo() -> None:
    """README shows every promise of the demo, in order, and the stages of a wish."""
    journals = dict.fromkeys(PODS, Journal((), (), ()))
    promises = [check.promise for check in checks(Scene(), journals)]
    summary = README.partition("All promises held")[2]
    shown = [line for line in summary.splitlines() if line.startswith("│ ✔")]

    assert len(shown) == len(promises)
    for line, promise in zip(shown, promises, strict=True):
        assert line.startswith(f"│ ✔ {promise} ")
    for stage in times(Scene(), journals):
        assert f"wish → {stage}" in README


def test_the_table_in_readme_has_the_columns_of_the_demo() -> None:
    """README shows the columns that the demo shows."""
    columns = [str(column.header) for column in pods_table(Scene()).columns]

    assert re.search(" +".join(column.strip() for column in columns), README)


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield the page and the arguments of each command line of `rso` in a block of a page."""
    for page in PAGES:
        for block in re.findall(r"```\w*\n(.*?)```", (ROOT / page).read_text(), re.DOTALL):
            for found in COMMAND.finditer(block):
                words = shlex.split(found["arguments"].partition("|")[0], comments=True)
                yield page, words


@pytest.mark.parametrize(
    ("page", "words"),
    [pytest.param(page, words, id=f"{page}: {' '.join(words)}") for page, words in commands()],
)
def test_each_command_in_the_documents_exists(page: str, words: list[str]) -> None:
    """Each command line that a page shows has a verb and flags that there are."""
    command: click.Command = rso
    context = click.Context(rso, info_name="rso")
    while isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, f"{page}: no command {words[0]}"
        command, words = found, words[1:]
        context = click.Context(command, parent=context, info_name=words[0] if words else "")

    command.make_parser(context).parse_args(list(words))
