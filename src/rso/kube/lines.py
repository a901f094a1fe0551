"""Splits a stream into lines of any length; aiohttp's own reader has a limit."""

from collections.abc import AsyncGenerator, AsyncIterable


async def lines(chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """Return the lines of a stream, without line ends and without empty ones.

    A last line without a line end was cut with its connection and is dropped.
    """
    parts: list[bytes] = []
    async for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for end in ended:
            line = b"".join([*parts, end]).strip()
            parts.clear()
            if line:
                yield line
        if rest:
            parts.append(rest)
