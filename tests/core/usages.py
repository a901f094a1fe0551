"""Usages of claims; a test states only what matters to it."""

from datetime import datetime, timedelta
from math import ceil
from typing import Any

from msgspec.structs import replace

from rso.core.autoscale import Scaled, Usage, decide
from rso.core.judge import Limits, Outcome
from rso.core.quantity import read_bytes
from rso.core.times import format_time
from rso.core.usage import Sample
from tests.factories import BOUNDS, NOW, Json, claim, own, statefulset

LIMITS = Limits(BOUNDS)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def sample(full: float = 0.5, size: str = "10Gi", **changes: Any) -> Sample:  # noqa: ANN401  any field
    """Return a sample taken ten seconds ago of claim data-db-0."""
    capacity = float(read_bytes(size))
    used = ceil(capacity * full)
    base = Sample("uid-data-db-0", NOW - timedelta(seconds=10), capacity, used, capacity - used)
    return replace(base, **changes)


def row(*fulls: float, size: str = "10Gi", **changes: Any) -> tuple[Sample, ...]:  # noqa: ANN401
    """Return samples a minute apart, the last one taken ten seconds ago."""
    last = NOW - timedelta(seconds=10)
    return tuple(
        sample(full, size, **{"taken_at": last - MINUTE * back, **changes})
        for back, full in zip(range(len(fulls) - 1, -1, -1), fulls, strict=True)
    )


def usage(
    *fulls: float,
    name: str = "data-db-0",
    request: str = "10Gi",
    capacity: str | None = None,
    grown_at: str | None = None,
    **changes: Json,
) -> Usage:
    """Return a claim with a row of samples of the size of its capacity."""
    real = capacity or request
    metadata = {"annotations": own({"grown-at": grown_at}) if grown_at else {}}
    made = claim(name, request, real, **{"metadata": metadata, **changes})
    return Usage(made, row(*fulls, size=real, claim_uid=f"uid-{name}"))


def scaled(
    *usages: Usage,
    limits: Limits = LIMITS,
    now: datetime = NOW,
    templates: dict[str, str] | None = None,
    changes: Json | None = None,
    **annotations: str,
) -> Scaled:
    """Return what becomes of an auto-scaled set of three; `_` in a key stands for `-`."""
    keys = {key.replace("_", "-"): text for key, text in annotations.items()}
    found = statefulset({"auto-scaled": "true", **keys}, templates, **(changes or {}))
    result = decide(found, usages, limits, now)
    assert isinstance(result, Scaled)
    return result


def outcome(*usages: Usage, **arguments: Any) -> Outcome:  # noqa: ANN401  as `scaled`
    """Return what becomes of the first claim template."""
    return scaled(*usages, **arguments).outcomes[0]


def written(*usages: Usage, **arguments: Any) -> dict[str, str | None]:  # noqa: ANN401  likewise
    """Return the annotations that are written, without our prefix."""
    found = scaled(*usages, **arguments).annotations
    return {key.partition("/")[2]: text for key, text in found.items()}


def ago(hours: float) -> str:
    """Return a time so many hours ago, as an annotation."""
    return format_time(NOW - HOUR * hours)


def full(*fulls: float, **changes: Any) -> Usage:  # noqa: ANN401  as `usage`
    """Return a claim of 64Gi, and steady samples of this fullness."""
    return usage(*(fulls or (0.85, 0.85)), **{"request": "64Gi", **changes})


def condition(kind: str, message: str = "") -> Json:
    """Return a status with this condition."""
    return {"conditions": [{"type": kind, "status": "True", "message": message}]}
