"""Fixtures of all tests."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["testbed.fixtures", "tests.support.recording", "tests.support.tally"]

# A machine that is busy makes any example slow, and any choice of data: that is no fault of a test.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
