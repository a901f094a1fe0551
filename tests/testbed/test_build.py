"""Building programs from Go modules and Debian packages, with progress."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from testbed import images
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
    (tmp_path / "inner").mkdir()
    (tmp_path / "go.mod").write_text("module rso.testbed/toy\n\ngo 1.26\n")
    write_unseen(tmp_path)
    (tmp_path / "main.go").write_text(
        'package main\n\nimport "rso.testbed/toy/inner"\n\nfunc main() { print(inner.Word) }\n'
    )
    return tmp_path


def write_unseen(directory: Path) -> None:
    """Change the inner package, and with it both, to what no cache has seen."""
    unseen = secrets.token_hex(8)
    (directory / "inner" / "inner.go").write_text(f'package inner\n\nconst Word = "{unseen}"\n')


@needs_go
def test_a_build_counts_what_it_compiles(
    go_module: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Progress is told in packages, of as many as are not in Go's cache."""
    options = ("-ldflags", "-s", "-o", str(go_module / "toy"))
    # Go's own packages are in its cache only after a build with the same flags.
    go_build(LineStep("first"), go_module, ".", options)
    write_unseen(go_module)
    go_build(LineStep("toy"), go_module, ".", options)
    told = capsys.readouterr()

    assert (go_module / "toy").exists()
    assert "toy: compiling 2 of 2" in told.err.splitlines()
    assert told.out == ""


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


# It knows no package until it was told to update, as on a machine without lists.
BARE_APT = """\
#!/bin/sh
echo "$@" >> "$APT_CALLS"
case "$*" in
  *update) touch "$APT_CALLS.updated" ;;
  *) [ -e "$APT_CALLS.updated" ] || { echo "E: Unable to locate package" >&2; exit 100; } ;;
esac
"""


@pytest.mark.parametrize(
    ("has_lists", "expected"),
    [
        pytest.param(
            False,
            ["download busybox", "-qq update", "download busybox"],
            id="without lists they are fetched first",
        ),
        pytest.param(True, ["download busybox"], id="lists that do are left alone"),
    ],
)
def test_package_lists_are_updated_only_when_needed(
    *, has_lists: bool, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Debian package is found also on a machine whose apt has no lists yet."""
    calls, program = tmp_path / "calls", tmp_path / "apt-get"
    program.write_text(BARE_APT)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("APT_CALLS", str(calls))
    if has_lists:
        (tmp_path / "calls.updated").touch()
    images.download("busybox", tmp_path)

    assert expected == calls.read_text().splitlines()
