"""The webhook against clients that are broken or mean: what they get, and how much memory it takes.

One server process for all, as it would run; memory is read after each kind of client, and its peak.
"""

import asyncio
import ssl
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from bench.machine import ran_on, start
from bench.webhook import HOST, Bench, review
from rso.app.review_server import MOST_BODY_BYTES

GOALS = {"peak_mib": 256}
SECONDS = 30.0  # twice the time that a request may take
JSON = "application/json"
Told = dict[str, Any]


def measure(_: Path | None) -> list[Told]:
    """Return one result: for each kind of client what it got, in what time, and the memory."""
    begun = start()
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory))
        with bench.serving("rso") as (port, pid):
            context = ssl.create_default_context(cafile=f"{directory}/ca.crt")
            values = asyncio.run(_Clients(port, pid, context).all())
    peak = max(each["peak_mib"] for each in values.values())
    good = values["good reviews, at the end"]
    return [
        {
            "figure": "webhook-faults",
            "unit": "clients by what they got, seconds, MiB",
            "options": {"request_seconds": 15},
            "values": values,
            "goal": GOALS,
            "is_met": peak < GOALS["peak_mib"] and good["got"] == {"200": 200},
            "ran_on": ran_on(begun, "none"),
        }
    ]


class _Clients:
    """Clients of one server process."""

    def __init__(self, port: int, pid: int, context: ssl.SSLContext) -> None:
        self._port = port
        self._pid = pid
        self._context = context

    async def all(self) -> dict[str, Told]:
        """Return {kind of client: what it got}."""
        good = review(10)
        await self._many(200, lambda: self._post(good))
        return {what: await self._many(count, client) for what, count, client in self._kinds(good)}

    def _kinds(self, good: bytes) -> Iterator[tuple[str, int, Callable[[], Awaitable[str]]]]:
        deep = b'{"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
        twice = good.replace(b'"uid":', b'"uid": "first", "uid":', 1)
        huge = b" " * (MOST_BODY_BYTES + 1)
        largest = b" " * MOST_BODY_BYTES
        yield "idle, after 200 good reviews", 0, self._silent
        yield "a header a second, for ever", 200, self._slow
        yield "TLS, then silence", 200, self._silent
        yield "TCP, then silence", 200, lambda: self._silent(is_tls=False)
        yield "no TLS at all", 1000, self._garbage
        yield "malformed JSON", 1000, lambda: self._post(good[:-1])
        yield "duplicate keys", 1000, lambda: self._post(twice)
        yield "deep nesting", 200, lambda: self._post(deep)
        yield "wrong content type", 1000, lambda: self._post(good, kind="text/plain")
        yield "body over the limit", 50, lambda: self._post(huge)
        yield "the same in chunks", 50, lambda: self._post(huge, is_chunked=True)
        yield "bodies of the largest size", 50, lambda: self._post(largest)
        yield "half a largest body, then silence", 200, lambda: self._post(largest, part=0.5)
        yield "good reviews, at the end", 200, lambda: self._post(good)

    async def _many(self, count: int, client: Callable[[], Awaitable[str]]) -> Told:
        """Run clients, 200 at a time; return what they got, the longest time and the memory."""
        slots, longest, got = asyncio.Semaphore(200), 0.0, Counter[str]()

        async def one() -> None:
            nonlocal longest
            async with slots:
                began = time.monotonic()
                try:
                    async with asyncio.timeout(SECONDS):
                        got[await client()] += 1
                except TimeoutError:
                    got["NOTHING IN TIME"] += 1
                except (OSError, ssl.SSLError):
                    got["closed"] += 1
                longest = max(longest, time.monotonic() - began)

        self._begin_peak()
        await asyncio.gather(*(one() for _ in range(count)))
        return {
            "got": dict(got),
            "longest_seconds": round(longest, 2),
            "rss_mib": self._mib("VmRSS"),
            "peak_mib": self._mib("VmHWM"),
        }

    async def _post(
        self, body: bytes, *, kind: str = JSON, is_chunked: bool = False, part: float = 1.0
    ) -> str:
        head = f"POST /mutate HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: {kind}\r\n"
        if is_chunked:
            lines = (f"{head}Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n").encode()
        else:
            lines = f"{head}Content-Length: {len(body)}\r\n\r\n".encode()
        reader, writer = await self._open()
        try:
            writer.write(lines + body[: int(len(body) * part)])
            if is_chunked:
                writer.write(b"\r\n0\r\n\r\n")
            return await _status(reader)
        finally:
            writer.close()

    async def _slow(self) -> str:
        reader, writer = await self._open()
        try:
            writer.write(b"POST /mutate HTTP/1.1\r\n")
            answer = asyncio.ensure_future(_status(reader))
            while not answer.done():
                writer.write(b"X-More: 1\r\n")
                await asyncio.wait({answer}, timeout=1)
            return await answer
        finally:
            writer.close()

    async def _silent(self, *, is_tls: bool = True) -> str:
        reader, writer = await self._open(is_tls=is_tls)
        try:
            return await _status(reader)
        finally:
            writer.close()

    async def _garbage(self) -> str:
        reader, writer = await self._open(is_tls=False)
        try:
            writer.write(b"GET / HTTP/1.1\r\n\r\n" * 10)
            return "closed" if await reader.read() is not None else ""
        finally:
            writer.close()

    async def _open(self, *, is_tls: bool = True) -> tuple[asyncio.StreamReader, Any]:
        context, name = (self._context, HOST) if is_tls else (None, None)
        return await asyncio.open_connection(
            "127.0.0.1", self._port, ssl=context, server_hostname=name
        )

    def _begin_peak(self) -> None:
        Path(f"/proc/{self._pid}/clear_refs").write_text("5")

    def _mib(self, what: str) -> float:
        status = Path(f"/proc/{self._pid}/status").read_text()
        line = next(each for each in status.splitlines() if each.startswith(f"{what}:"))
        return round(int(line.split()[1]) / 1024, 1)


async def _status(reader: asyncio.StreamReader) -> str:
    """Return the status code of an answer, or that the connection was closed."""
    line = await reader.readline()
    return line.split()[1].decode() if line else "closed"
