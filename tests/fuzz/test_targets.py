"""Every target holds for twenty seconds: fifteen by coverage, five by hypothesis' strategies."""

import os
from pathlib import Path

import pytest

from fuzz.choices import FromBytes
from fuzz.engines import Found, by_coverage, by_hypothesis, has_coverage
from fuzz.targets import TARGETS, play, seeds
from tests.support.unmeasured import unmeasured

__all__ = ["unmeasured"]

COVERAGE_SECONDS = 15
DRAWN_SECONDS = 5

pytestmark = pytest.mark.timeout(300)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds_by_coverage(name: str, tmp_path: Path) -> None:
    """An engine that sees which code an input reaches finds none for which the promise fails."""
    if not has_coverage():
        assert "CI" not in os.environ, "atheris is missing"
        pytest.skip("fuzzing by coverage: atheris has no wheel for this Python")

    assert by_coverage(name, COVERAGE_SECONDS, tmp_path) > 0


@pytest.mark.fuzz
@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds_by_strategies(name: str) -> None:
    """Hypothesis, which knows the words of the domain, finds none either."""
    assert by_hypothesis(name, DRAWN_SECONDS) > 0


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_takes_any_input(name: str) -> None:
    """The first inputs of each engine are played in each check, so that no target rots."""
    for data in (b"", b"\0" * 64, bytes(range(256)), *seeds(name)):
        play(name, FromBytes(data))


@pytest.mark.fuzz
def test_a_target_that_fails_keeps_its_input(tmp_path: Path) -> None:
    """The engine ends with the input in a file, and says how to play it again."""
    if not has_coverage():
        pytest.skip("fuzzing by coverage: atheris has no wheel for this Python")

    with pytest.raises(Found, match="play it again: python -m fuzz replay nobody"):
        by_coverage("nobody", 5, tmp_path)

    assert list(tmp_path.glob("nobody-crash-*"))
