"""What the crash tests may leave out."""

import pytest

from tests.faults.test_crashes import SHAPES
from tests.faults.writes import due, is_optional
from tests.support.faults import Point
from tests.support.scene import Shape


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.id)
def test_no_write_of_every_run_is_optional(shape: Shape) -> None:
    """A death at a write that every run makes is played, or the crash test fails."""
    assert [] == [point for point in due(shape) if is_optional(shape, point)]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.id)
def test_each_run_makes_the_writes_that_are_counted(shape: Shape) -> None:
    """As many essential writes are due as safety.md counts, each of them once."""
    essential = [point for point in due(shape) if point.is_essential]

    assert shape.essential_writes == len(essential)
    assert {1} == {point.number for point in essential}


@pytest.mark.parametrize("write", ["save", "grow data-db-0", "status Strange", "retain"])
def test_an_unknown_or_repeated_write_is_not_optional(write: str) -> None:
    """A write that only one run makes is found, unless it is known why others do without it."""
    assert not is_optional(Shape(3, 1, "Delete"), Point(write, 2))


def test_a_set_without_retain_step_races_with_nobody() -> None:
    """Where the controller has nothing to follow, no write is optional."""
    waiting = Point("status Waiting")

    assert not is_optional(Shape(3, 1), waiting)
    assert is_optional(Shape(3, 1, "Delete"), waiting)
