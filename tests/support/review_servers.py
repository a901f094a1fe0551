"""The webhook's HTTPS server without a cluster, and clients that trust it."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp
from prometheus_client import CollectorRegistry

from rso.app.authority import Pair, make_authority, make_leaf
from rso.app.review_server import PATH, ReviewServer
from rso.app.tls import Served
from rso.app.webhook_metrics import WebhookMetrics
from rso.core.policy import Bounds
from rso.core.rules import Rules
from rso.kube.clock import SystemClock

Json = dict[str, Any]
HOST = "127.0.0.1"
NAMES = ("webhook.rso-system.svc", "localhost")
RULES = Rules(Bounds(2000 * 2**30, 10, template_follows=False))


@dataclass
class Running:
    """A server that runs: where, its certificate, its authority and its metrics."""

    port: int
    served: Served
    authority: Pair
    metrics: WebhookMetrics
    server: ReviewServer

    @property
    def url(self) -> str:
        """Where reviews are answered."""
        return f"https://{HOST}:{self.port}{PATH}"

    def context(self) -> ssl.SSLContext:
        """Return a client's context that trusts the authority."""
        return trusting(self.authority)

    def client(self) -> aiohttp.ClientSession:
        """Return a client; the server is known by its Service's name."""
        connector = aiohttp.TCPConnector(ssl=self.context(), limit=0)
        return aiohttp.ClientSession(connector=connector)


def trusting(authority: Pair) -> ssl.SSLContext:
    """Return a client's context that trusts an authority."""
    return ssl.create_default_context(cadata=authority.certificate.decode())


@asynccontextmanager
async def review_server(now: datetime | None = None) -> AsyncIterator[Running]:
    """Run a server whose certificate was made at this time."""
    began = now or SystemClock().now()
    authority = make_authority(began)
    served = Served()
    leaf = make_leaf(authority, NAMES, began)
    served.use(leaf.certificate, leaf.key)
    metrics = WebhookMetrics(CollectorRegistry())
    server = ReviewServer((HOST, 0), served.context, RULES, metrics)
    await server.start()
    assert server.address is not None
    try:
        yield Running(server.address[1], served, authority, metrics, server)
    finally:
        await server.stop()


def review_of(new: Json, old: Json | None = None) -> Json:
    """Return the body of an AdmissionReview."""
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5",
            "kind": {"group": "apps", "version": "v1", "kind": "StatefulSet"},
            "operation": "CREATE" if old is None else "UPDATE",
            "name": "db",
            "namespace": "shop",
            "object": new,
            "oldObject": old,
        },
    }
