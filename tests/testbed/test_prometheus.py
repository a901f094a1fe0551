"""Debian's Prometheus, fetched and not installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed import prometheus
from testbed.process import BedError

if TYPE_CHECKING:
    from pathlib import Path


def test_one_is_told_how_to_fetch_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the command that brings it is named."""
    monkeypatch.setenv("RSO_TESTBED_CACHE", str(tmp_path))

    with pytest.raises(BedError, match="run: python -m testbed build"):
        prometheus.program()
