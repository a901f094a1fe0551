"""The pause between two recreates follows the absence just measured."""

import pytest

from rso.app.turn import LONGEST_PAUSE_SECONDS, next_pause


@pytest.mark.parametrize(
    ("pause", "absence", "expected"),
    [
        pytest.param(0.0, 0.03, 0.0, id="no pause while the target is met"),
        pytest.param(0.0, 0.25, 0.15, id="the first miss begins a pause of what was missed"),
        pytest.param(0.2, 0.15, 0.25, id="a further miss adds to it"),
        pytest.param(0.2, 0.05, 0.14, id="a target met makes it shorter"),
        pytest.param(0.01, 0.05, 0.0, id="a very short pause is none"),
        pytest.param(1.9, 40.0, LONGEST_PAUSE_SECONDS, id="it never exceeds the longest"),
    ],
)
def test_pause_follows_absence(pause: float, absence: float, expected: float) -> None:
    """A pause grows by what the target was missed by, and shrinks when it is met."""
    assert pytest.approx(expected) == next_pause(pause, absence)
