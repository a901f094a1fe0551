"""Fixtures of the tests with an autoscaler on a control plane, and usage that a test tells."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from testbed.cluster import Cluster
from tests.support.autoscalers import Scaler, Told, scaler_settings, scaling
from tests.support.clocks import ShiftedClock
from tests.support.fixtures import at_rest, key_dir, operator_namespace, plain_run, run, sets

__all__ = ["at_rest", "key_dir", "operator_namespace", "plain_run", "run", "sets"]

Scale = Callable[..., AbstractContextManager[Scaler]]


@pytest.fixture
def clock() -> ShiftedClock:
    """Return the clock of autoscaler and source, which a test may set."""
    return ShiftedClock()


@pytest.fixture
def told(clock: ShiftedClock) -> Told:
    """Return the usage source of the test."""
    return Told(clock)


@pytest.fixture
def scale(
    cluster: Cluster, namespace: str, operator_namespace: str, told: Told, clock: ShiftedClock
) -> Scale:
    """Return what runs an autoscaler for the namespace; its keywords are settings."""

    def start(**settings: object) -> AbstractContextManager[Scaler]:
        chosen = scaler_settings(cluster, operator_namespace, **settings)
        return scaling(cluster, namespace, chosen, told, clock)

    return start
