"""What tests saw and no assertion demands: printed at the end of a run, for people who judge it."""

from collections.abc import Callable

import pytest

Record = Callable[[str], None]
_KEY = "seen"


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """Return what notes a line for the end of the run."""

    def add(line: str) -> None:
        request.node.user_properties.append((_KEY, f"{request.node.name}: {line}"))

    return add


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the lines of all tests, also those of other processes."""
    reports = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if report.when == "call"
    ]
    lines = [text for each in reports for key, text in each.user_properties if key == _KEY]
    if lines:
        terminalreporter.section("seen")
    for line in sorted(lines):
        terminalreporter.write_line(line)
