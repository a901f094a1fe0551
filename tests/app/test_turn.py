"""Turns: one set after the other, with a pause that follows the absence just measured."""

import pytest

from rso.app.turn import LONGEST_PAUSE_SECONDS, Turns, next_pause
from rso.core.world import Key
from rso.kube.clock import SystemClock


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


def key(name: str) -> Key:
    return Key("app", name)


def test_a_set_that_does_not_go_on_lets_the_next_one_look() -> None:
    """Whoever was woken and waits for something else, or is gone, holds up nobody."""
    woken: list[str] = []
    turns = Turns(SystemClock(), 1, lambda each, _: woken.append(each.name))
    turns.take(key("a"))
    for name in ("b", "c", "d"):
        turns.wait(key(name))

    turns.give(key("a"), 0.03)
    turns.leave(key("b"))
    turns.leave(key("c"))

    assert ["b", "c", "d"] == woken


def test_a_set_that_has_its_turn_keeps_its_place() -> None:
    """While a set is away the others wait; a set that never waited wakes nobody."""
    woken: list[str] = []
    turns = Turns(SystemClock(), 1, lambda each, _: woken.append(each.name))
    turns.take(key("a"))
    turns.wait(key("b"))

    turns.leave(key("a"))

    assert [] == woken
    assert not turns.is_free(key("b"), set())
