"""Lines are the same wherever the network cuts the stream."""

import asyncio
from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from rso.kube.backoff import Backoff
from rso.kube.lines import lines

LINES = st.lists(st.binary(min_size=1, max_size=20).map(lambda data: b"{" + data.hex().encode()))


async def _split(data: bytes, cuts: list[int]) -> list[bytes]:
    async def chunks() -> AsyncIterator[bytes]:
        start = 0
        for cut in [*sorted(cuts), len(data)]:
            yield data[start:cut]
            start = max(start, cut)

    return [line async for line in lines(chunks())]


@given(LINES, st.lists(st.integers(0, 500)), st.sampled_from([b"\n", b"\r\n", b"\n\n"]))
def test_cuts_do_not_matter(expected: list[bytes], cuts: list[int], end: bytes) -> None:
    """Every line comes out whole and in order, whatever the chunks."""
    data = b"".join(line + end for line in expected)

    assert asyncio.run(_split(data, cuts)) == expected


def test_cut_line_is_dropped() -> None:
    """What the connection's end cut off is no line."""
    assert asyncio.run(_split(b"whole\nhal", [3])) == [b"whole"]


def test_long_line() -> None:
    """A line longer than any buffer comes out whole."""
    data = b"x" * 3_000_000 + b"\n"

    assert asyncio.run(_split(data, list(range(0, 3_000_000, 65_536)))) == [data[:-1]]


def test_backoff_grows_and_resets() -> None:
    """Delays grow from 0.5 to 30 seconds, with up to half more by chance, and start again."""
    backoff = Backoff()
    delays = [backoff.next() for _ in range(12)]
    backoff.reset()

    nominal = [0.5, 1, 2, 4, 8, 16, *[30] * 6]
    assert all(
        least <= delay <= min(least * 1.5, 30) for least, delay in zip(nominal, delays, strict=True)
    )
    assert 0.5 <= backoff.next() <= 0.75
