"""Fixtures of all tests."""

pytest_plugins = ["testbed.fixtures", "tests.support.recording", "tests.support.tally"]
