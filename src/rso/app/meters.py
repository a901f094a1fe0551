"""What every part of the operator counts: rows of a table, and the metrics made from them.

Series whose labels are a closed list stand at zero from the start, so that the first increase can
be seen by an alert.
"""

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from itertools import product
from typing import Literal, TypeVar

import msgspec
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily

from rso.core.names import APP

CODES = ("2xx", "4xx", "403", "404", "409", "422", "429", "5xx", "unreachable")
WORK_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60)

Made = TypeVar("Made", Counter, Gauge)


class Metric(msgspec.Struct, frozen=True):
    """A row of the table. `labels` is {label: its closed list, empty if there is none}."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: dict[str, tuple[str, ...]] = {}
    buckets: tuple[float, ...] = ()
    is_computed: bool = False  # from the states of sets, when metrics are read


def common(
    undecodable: tuple[str, ...], kinds: tuple[str, ...], events: tuple[str, ...]
) -> tuple[Metric, ...]:
    """Return the rows of each part that watches these kinds and has a Lease."""
    return (
        Metric("rso_leader", "gauge", "1 in the one process that works."),
        Metric(
            "rso_requests_total",
            "counter",
            "Requests to the API server by class of answer; codes of their own where they mean "
            "something here.",
            {"verb": (), "resource": (), "code": ()},
        ),
        Metric(
            "rso_request_seconds",
            "histogram",
            "Time to the answer of a request; watches are not counted.",
            {"verb": ("get", "list", "create", "update", "patch", "delete")},
            WORK_BUCKETS,
        ),
        Metric(
            "rso_watch_restarts_total",
            "counter",
            "Watches that ended and were begun again.",
            {"kind": kinds},
        ),
        Metric(
            "rso_undecodable_objects_total",
            "counter",
            "Objects that could not be read and are not looked at.",
            {"kind": undecodable},
        ),
        Metric("rso_events_total", "counter", "Kubernetes Events by reason.", {"reason": events}),
        Metric("rso_build_info", "gauge", "1, labelled with the version.", {"version": ()}),
    )


class Meters:
    """The metrics of one part, in a registry of its own.

    `requests` is {resource: verbs}: what the part asks of the API server.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        table: tuple[Metric, ...],
        requests: Mapping[str, tuple[str, ...]],
    ) -> None:
        # A time of birth beside each series would double their number.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's own gap
        self._registry = registry
        self._table = {row.name: row for row in table}
        ProcessCollector(registry=registry)
        self._counters = self._build(Counter, "counter")
        self._gauges = self._build(Gauge, "gauge")
        self._histograms = {row.name: self._histogram(row) for row in self._rows("histogram")}
        self._gauges["rso_build_info"].labels(version(APP)).set(1)
        for resource, verbs in requests.items():
            for verb in verbs:
                self._start_requests(verb, resource)

    def render(self) -> bytes:
        """Return all series in the text format of Prometheus."""
        return generate_latest(self._registry)

    def leading(self, *, leads: bool) -> None:
        self._gauges["rso_leader"].set(leads)

    def requested(self, verb: str, resource: str, status: int | None, seconds: float) -> None:
        """Count a request; `status` is None when no answer came."""
        self._start_requests(verb, resource)
        self._counters["rso_requests_total"].labels(verb, resource, _code(status)).inc()
        if verb != "watch":
            self._histograms["rso_request_seconds"].labels(verb).observe(seconds)

    def watch_restarted(self, kind: str) -> None:
        self._counters["rso_watch_restarts_total"].labels(kind).inc()

    def undecodable(self, kind: str) -> None:
        self._counters["rso_undecodable_objects_total"].labels(kind).inc()

    def event(self, reason: str) -> None:
        self._counters["rso_events_total"].labels(str(reason)).inc()

    def _family(self, name: str, values: Mapping[tuple[str, ...], int]) -> GaugeMetricFamily:
        """Return a gauge that is computed when metrics are read."""
        row = self._table[name]
        family = GaugeMetricFamily(name, row.help, labels=tuple(row.labels))
        for labels, value in values.items():
            family.add_metric(labels, value)
        return family

    def _start_requests(self, verb: str, resource: str) -> None:
        for code in CODES:  # so that the first failure is an increase
            self._counters["rso_requests_total"].labels(verb, resource, code)

    def _rows(self, kind: str) -> Iterator[Metric]:
        return (row for row in self._table.values() if row.kind == kind and not row.is_computed)

    def _build(self, make: type[Made], kind: str) -> dict[str, Made]:
        made = {}
        for row in self._rows(kind):
            metric = make(row.name, row.help, tuple(row.labels), registry=self._registry)
            _start(metric, row)
            made[row.name] = metric
        return made

    def _histogram(self, row: Metric) -> Histogram:
        histogram = Histogram(
            row.name, row.help, tuple(row.labels), registry=self._registry, buckets=row.buckets
        )
        _start(histogram, row)
        return histogram


def markdown(table: tuple[Metric, ...]) -> str:
    """Return a table for the user's guide."""
    head = "| metric | type | labels | meaning |\n|---|---|---|---|\n"
    return head + "".join(
        f"| `{row.name}` | {row.kind} | {', '.join(row.labels)} | {row.help} |\n" for row in table
    )


def _start(metric: Counter | Gauge | Histogram, row: Metric) -> None:
    """Make the series of closed lists; a list that is not closed makes none."""
    for values in product(*row.labels.values()):
        if values:
            metric.labels(*values)


def _code(status: int | None) -> str:
    if status is None:
        return "unreachable"
    return str(status) if str(status) in CODES else f"{status // 100}xx"
