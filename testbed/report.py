"""What a test run did not run, and why: printed at its end, so that green does not hide it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from testbed import cgroups

if TYPE_CHECKING:
    import pytest

KUBERNETES = "1.37"
# Minor versions in support beside the one whose modules the bed builds.
OTHER_KUBERNETES = ("1.34", "1.35", "1.36")


def not_run(reporter: pytest.TerminalReporter) -> list[str]:
    """Return one line for each reason that something was not run."""
    lines = [platform_line()]
    lines.append(f"Kubernetes {', '.join(OTHER_KUBERNETES)}: only {KUBERNETES} is built here")
    reasons = Counter(str(report.longrepr[2]) for report in reporter.stats.get("skipped", ()))
    lines += [f"{count} tests: {reason}" for reason, count in sorted(reasons.items())]
    return lines


def platform_line() -> str:
    """Return which version of control groups this machine does not have."""
    here = cgroups.version()
    return f"control groups v{3 - here}: this machine has v{here}"
