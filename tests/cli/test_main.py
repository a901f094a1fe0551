"""The command itself: quick help, exit codes, and faults as sentences."""

import subprocess
import sys

import pytest

from rso.cli.exits import Failed, NoAnswer, TimedOut, exit_code, sentence
from rso.core.quantity import InvalidQuantity
from rso.kube.errors import (
    Conflict,
    Forbidden,
    NoCredentials,
    ServerError,
    Unauthorized,
    Unreachable,
)


def test_help_loads_no_verb() -> None:
    """`rso --help` names every verb and imports none, nor what they need."""
    program = """
import sys
from rso.cli.main import main
try:
    main(["--help"])
finally:
    heavy = {"aiohttp", "kubernetes", "msgspec", "rich", "rso.app", "rso.kube", "uvloop"}
    loaded = heavy & set(sys.modules)
    print("loaded:", sorted(loaded))
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    for verb in ("status", "plan", "resize", "resume", "backup", "keygen", "resizer", "webhook"):
        assert f"\n  {verb} " in ran.stdout
    assert "loaded: []" in ran.stdout


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        pytest.param(Failed("no"), 1, id="what was asked for failed"),
        pytest.param(Conflict(409, "Conflict", "changed"), 1, id="the server says no"),
        pytest.param(ServerError(500), 1, id="the server fails"),
        pytest.param(InvalidQuantity("x", "syntax"), 1, id="an object that cannot be read"),
        pytest.param(NoAnswer("away"), 3, id="the server was never reached"),
        pytest.param(Unreachable("cut", sent=True), 3, id="the server is away"),
        pytest.param(NoCredentials("none"), 3, id="no cluster is known"),
        pytest.param(TimedOut("late"), 4, id="time is over"),
        pytest.param(Forbidden(403), 5, id="a right is missing"),
        pytest.param(Unauthorized(401), 5, id="the credentials are not accepted"),
        pytest.param(ZeroDivisionError(), None, id="a bug is none of these"),
    ],
)
def test_each_fault_has_its_code(fault: Exception, expected: int | None) -> None:
    """Scripts can tell the faults apart by the exit code."""
    assert expected == exit_code(fault)


def test_faults_say_what_to_do() -> None:
    """What a person can mend is said with the fault."""
    assert sentence(Forbidden(403, "Forbidden", "no get")).endswith("or use another --context")
    assert "log in again" in sentence(Unauthorized(401))
    assert sentence(NoCredentials("no file")).startswith("no file; --kubeconfig, --context")
    assert "plain" == sentence(Failed("plain"))
