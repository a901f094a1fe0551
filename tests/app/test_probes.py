"""Probes and metrics over real HTTP on the loopback."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from rso.app.metrics import Metrics
from rso.app.probes import CannotListen, Probes


class Operator:
    """Says how it is; both answers can change."""

    def __init__(self) -> None:
        self.missing: str | None = None
        self.sick: str | None = None
        self.metrics = Metrics(CollectorRegistry())
        self.probes = Probes(
            ("127.0.0.1", 0), self.metrics, lambda: self.missing, lambda: self.sick
        )

    async def get(self, path: str, method: str = "GET") -> tuple[int, str, str]:
        """Return status, content type and text of an answer."""
        assert self.probes.address is not None
        host, port = self.probes.address
        async with (
            ClientSession() as session,
            session.request(method, f"http://{host}:{port}{path}") as answer,
        ):
            return answer.status, answer.headers["Content-Type"], await answer.text()


@pytest.fixture
async def operator() -> AsyncIterator[Operator]:
    one = Operator()
    await one.probes.start()
    yield one
    await one.probes.stop()


async def test_a_well_operator_is_alive_and_ready(operator: Operator) -> None:
    """With nothing missing both probes answer 200."""
    expected = (200, "text/plain; charset=utf-8", "ok\n")

    assert expected == await operator.get("/healthz")
    assert expected == await operator.get("/readyz")


async def test_alive_and_ready_are_two_answers(operator: Operator) -> None:
    """An operator that is not ready is not started again, and each answer says what is missing."""
    operator.missing = "the claims have not been listed"

    assert (await operator.get("/readyz"))[::2] == (503, "the claims have not been listed\n")
    assert (await operator.get("/healthz"))[0] == 200
    operator.missing, operator.sick = None, "the watch of claims is silent"
    assert (await operator.get("/readyz"))[0] == 200
    assert (await operator.get("/healthz"))[::2] == (503, "the watch of claims is silent\n")


async def test_prometheus_can_read_the_metrics(operator: Operator) -> None:
    """The page has the type and the text that Prometheus parses."""
    operator.metrics.leading(leads=True)
    status, kind, text = await operator.get("/metrics")
    values = {family.name: family.samples for family in text_string_to_metric_families(text)}

    assert status == 200
    assert kind.startswith("text/plain; version=")
    assert values["rso_leader"][0].value == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/", 404, id="another page"),
        pytest.param("POST", "/metrics", 405, id="a write"),
    ],
)
async def test_nothing_else_is_served(
    operator: Operator, method: str, path: str, status: int
) -> None:
    """Other pages and methods are refused."""
    assert status == (await operator.get(path, method))[0]


async def test_off_means_off() -> None:
    """Without an address nothing listens, and starting and stopping are harmless."""
    probes = Probes(None, Metrics(CollectorRegistry()), lambda: None, lambda: None)
    await probes.start()

    assert probes.address is None
    await probes.stop()


async def test_a_taken_address_is_named(operator: Operator) -> None:
    """Where something listens already, starting fails with the address and the reason."""
    taken = operator.probes.address
    probes = Probes(taken, operator.metrics, lambda: None, lambda: None)

    with pytest.raises(CannotListen, match=r"127\.0\.0\.1:[0-9]+: .*in use"):
        await probes.start()


async def test_no_host_means_every_address() -> None:
    """An empty host listens where the kubelet and Prometheus reach the Pod."""
    probes = Probes(("", 0), Metrics(CollectorRegistry()), lambda: None, lambda: None)
    await probes.start()

    assert probes.address is not None
    assert probes.address[0] in {"0.0.0.0", "::"}  # noqa: S104  that is the promise
    await probes.stop()
