"""Numbers of many runs in a few words."""

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least so many percent of all do not exceed.

    The nearest rank, without interpolation: always a value that was measured.
    Raises: ValueError, when there is none.
    """
    if not values:
        raise ValueError("nothing was measured")
    rank = math.ceil(len(values) * percent / 100)
    return sorted(values)[max(rank, 1) - 1]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return count, smallest, p50, p99 and largest; units as given, to a tenth of a thousandth."""
    return {
        "count": len(values),
        "min": round(min(values), 4),
        "p50": round(percentile(values, 50), 4),
        "p99": round(percentile(values, 99), 4),
        "max": round(max(values), 4),
    }
