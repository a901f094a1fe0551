"""Fixtures of the core's tests."""

import pytest

from rso.core.world import World
from tests.core.courses import WORLDS


@pytest.fixture(params=list(WORLDS.values()), ids=list(WORLDS))
def start(request: pytest.FixtureRequest) -> World:
    """Return each world of the table."""
    made: World = request.param()
    return made
