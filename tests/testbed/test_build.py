"""Building programs from Go modules, with progress."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from testbed.build import go_build
from testbed.cache import HERE, build_directory
from testbed.fixtures import need_bed
from testbed.process import BedError
from testbed.progress import LineStep

if TYPE_CHECKING:
    from pathlib import Path

needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed")


@pytest.fixture
def go_module(tmp_path: Path) -> Path:
    """Return a Go module of two packages that no cache has seen."""
    unseen = secrets.token_hex(8)
    (tmp_path / "inner").mkdir()
    (tmp_path / "go.mod").write_text("module rso.testbed/toy\n\ngo 1.26\n")
    (tmp_path / "inner" / "inner.go").write_text(f'package inner\n\nconst Word = "{unseen}"\n')
    (tmp_path / "main.go").write_text(
        'package main\n\nimport "rso.testbed/toy/inner"\n\nfunc main() { print(inner.Word) }\n'
    )
    return tmp_path


@needs_go
def test_a_build_counts_what_it_compiles(
    go_module: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Progress is told in packages, of as many as are not in Go's cache."""
    go_build(LineStep("toy"), go_module, ".", ("-ldflags", "-s", "-o", str(go_module / "toy")))

    assert (go_module / "toy").exists()
    assert "toy: compiling 2 of 2" in capsys.readouterr().out.splitlines()


@needs_go
def test_a_build_that_fails_says_why(go_module: Path) -> None:
    """The compiler's own words are in the error."""
    (go_module / "main.go").write_text("package main\n\nfunc main() { missing() }\n")

    with pytest.raises(BedError, match="undefined: missing"):
        go_build(LineStep("toy"), go_module, ".", ("-ldflags", "-s", "-o", str(go_module)))


def test_what_is_built_is_not_built_again() -> None:
    """A second build only prints where the programs are."""
    need_bed(is_node=False)
    command = [sys.executable, "-m", "testbed", "build"]
    again = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent, check=False)

    assert again.stdout == f"{build_directory()}\n"
