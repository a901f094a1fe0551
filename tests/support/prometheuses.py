"""A Prometheus on loopback that says what a test wants."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Json = dict[str, Any]
PREFIX = "kubelet_volume_stats_"
METRICS = ("capacity_bytes", "available_bytes", "used_bytes", "inodes", "inodes_used")


@dataclass(frozen=True)
class Asked:
    """One query as it arrived."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclass
class Prometheus:
    """What is said of each metric: the `result` of a matrix, or a whole answer."""

    results: dict[str, list[Json]] = field(default_factory=dict)
    answers: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = field(
        default_factory=dict
    )
    extra: Json = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def scrape(
        self,
        seconds: float,
        values: Mapping[str, object],
        claim: str = "data-db-0",
        cluster: str = "",
    ) -> None:
        """Add a series of one point for each of these metrics."""
        labels = {"namespace": "shop", "persistentvolumeclaim": claim}
        labels |= {"cluster": cluster} if cluster else {}
        for metric, value in values.items():
            series = {"metric": labels, "values": [[seconds, str(value)]]}
            self.results.setdefault(metric, []).append(series)

    @asynccontextmanager
    async def serve(self, context: ssl.SSLContext | None = None) -> AsyncIterator["Prometheus"]:
        """Listen on loopback."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        scheme = "https" if context else "http"
        self.url = f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        query = str((await request.post()).get("query", ""))
        self.asked.append(Asked(request.method, request.path_qs, query, request.headers))
        metric = query.removeprefix(PREFIX).partition("{")[0]
        if metric in self.answers:
            return await self.answers[metric](request)
        data = {"resultType": "matrix", "result": self.results.get(metric, [])}
        return web.json_response({"status": "success", "data": data, **self.extra})
