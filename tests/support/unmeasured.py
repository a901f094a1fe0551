"""Tests whose coverage is not measured: they repeat what others reach, hundreds of times."""

from collections.abc import Iterator

import pytest
from coverage import Coverage


@pytest.fixture(autouse=True)
def unmeasured() -> Iterator[None]:
    """Let a test run at full speed; measuring costs half as much again."""
    measuring = Coverage.current()
    if measuring is not None:
        measuring.stop()
    yield
    if measuring is not None:
        measuring.start()
