"""The figures are summed up as they say."""

import pytest

from bench.summary import percentile, spread


@pytest.mark.parametrize(
    ("percent", "expected"),
    [
        pytest.param(50, 5, id="half of ten values are at most the fifth"),
        pytest.param(90, 9, id="nine of ten are at most the ninth"),
        pytest.param(99, 10, id="99 % of ten are all of them"),
        pytest.param(0, 1, id="none is the smallest"),
    ],
)
def test_percentile_was_measured(percent: float, expected: float) -> None:
    """A percentile is the smallest measured value that so many do not exceed."""
    assert expected == percentile([10, 3, 1, 2, 5, 4, 9, 8, 7, 6], percent)


def test_percentile_of_nothing() -> None:
    """Nothing measured is an error, not a zero."""
    with pytest.raises(ValueError, match="nothing was measured"):
        percentile([], 50)


def test_spread_counts_every_run() -> None:
    """A summary tells how many runs it stands for, and its extremes."""
    expected = {"count": 3, "min": 0.1, "p50": 0.2, "p99": 0.9, "max": 0.9}

    assert expected == spread([0.9, 0.1, 0.2])
