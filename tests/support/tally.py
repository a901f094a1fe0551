"""Counts fault cases over all tests and prints them: survived / fired / listed, per shape."""

from collections import Counter
from collections.abc import Callable

import pytest

Count = Callable[[str, str, str], None]
_KEY = "fault case"


@pytest.fixture
def count(request: pytest.FixtureRequest) -> Count:
    """Return what counts one case: its class, its shape, and survived, failed or not fired."""

    def add(kind: str, shape: str, result: str) -> None:
        request.node.user_properties.append((_KEY, (kind, shape, result)))

    return add


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the sums, also those of other processes."""
    reports = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if report.when == "call"
    ]
    found = [each for report in reports for key, each in report.user_properties if key == _KEY]
    if found:
        terminalreporter.section("fault cases")
    for line in lines(found):
        terminalreporter.write_line(line)


def lines(found: list[tuple[str, str, str]]) -> list[str]:
    """Return a line for each class with its sum, and each shape's."""
    kinds = sorted({kind for kind, _, _ in found})
    return [f"{kind}: {_sums(kind, found)}" for kind in kinds]


def _sums(kind: str, found: list[tuple[str, str, str]]) -> str:
    own = [(shape, result) for each, shape, result in found if each == kind]
    shapes = sorted({shape for shape, _ in own})
    parts = [f"{shape} {_figures([r for s, r in own if s == shape])}" for shape in shapes]
    whole = _figures([result for _, result in own])
    return f"survived / fired / listed {whole} ({', '.join(parts)})"


def _figures(results: list[str]) -> str:
    counts = Counter(results)
    survived = counts["survived"]
    fired = survived + counts["failed"]
    return f"{survived}/{fired}/{len(results)}"
