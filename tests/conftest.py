"""Fixtures of all tests, and the order in which workers take them."""

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["testbed.fixtures", "tests.support.recording", "tests.support.tally"]

# A machine that is busy makes any example slow, and any choice of data: that is no fault of a test.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deal the tests to the workers, so that each gets its share of every folder.

    pytest-xdist gives each worker a piece in a row. Slow tests stand side by side, so one worker
    would get them all. Each begins in another folder: some tests mostly compute, others wait.
    """
    workers = int(getattr(config, "workerinput", {}).get("workercount", 1))
    dealt = [items[number::workers] for number in range(workers)]
    items[:] = [
        item
        for number, share in enumerate(dealt)
        for item in rotated(share, len(share) * number // workers)
    ]


def rotated(items: list[pytest.Item], begin: int) -> list[pytest.Item]:
    """Return a list that begins at a place, and ends before it."""
    return items[begin:] + items[:begin]
