"""What an operator counts: one table, and one method for each thing that happens.

Series whose labels are a closed list stand at zero from the start, so that the first increase can
be seen by an alert. Names of sets are labels of one metric only, which is bounded (T18); nothing
is ever labelled by claim.
"""

import sys
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from itertools import product
from typing import TypeVar, get_args

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
from prometheus_client.registry import Collector

from rso.app.metric_table import (
    CODES,
    MAX_SET_SERIES,
    REASONS,
    REQUESTS,
    TABLE,
    BackupPhase,
    Metric,
    Recreation,
    Result,
    State,
    markdown,
)
from rso.core.names import APP, Note, Reason

Made = TypeVar("Made", Counter, Gauge)


class Metrics:
    """The metrics of one operator, in a registry of its own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # A time of birth beside each series would double their number.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's own gap
        self._registry = registry
        self._states = _States()
        registry.register(self._states)
        ProcessCollector(registry=registry)
        self._counters = _build(registry, Counter, "counter")
        self._gauges = _build(registry, Gauge, "gauge")
        self._histograms = {row.name: _histogram(registry, row) for row in _rows("histogram")}
        self._gauges["rso_build_info"].labels(version(APP)).set(1)
        for resource, verbs in REQUESTS.items():
            for verb in verbs:
                self._start_requests(verb, resource)

    def render(self) -> bytes:
        """Return all series in the text format of Prometheus."""
        return generate_latest(self._registry)

    def reconciled(self, result: Result, seconds: float) -> None:
        self._counters["rso_reconciles_total"].labels(result).inc()
        self._histograms["rso_reconcile_seconds"].observe(seconds)

    def follow_queue(self, depth: Callable[[], float]) -> None:
        """Ask a function for the length of the queue whenever metrics are read."""
        self._gauges["rso_queue_depth"].set_function(depth)

    def claim_grown(self, added_bytes: int) -> None:
        self._counters["rso_claims_grown_total"].inc()
        self._counters["rso_claims_grown_bytes_total"].inc(added_bytes)

    def recreated(self, result: Recreation) -> None:
        self._counters["rso_recreates_total"].labels(result).inc()

    def absent_for(self, seconds: float) -> None:
        self._histograms["rso_statefulset_absence_seconds"].observe(seconds)

    def absent_now(self, count: int) -> None:
        self._gauges["rso_absent_statefulsets"].set(count)

    def pods_changed(self, count: int) -> None:
        self._counters["rso_pods_changed_total"].inc(count)

    def saw(self, namespace: str, name: str, state: State, reason: Reason | None = None) -> None:
        """Note how a set is; the last word counts."""
        self._states.by_key[namespace, name] = (state, reason.value if reason else "")

    def forget(self, namespace: str, name: str) -> None:
        """Forget a set that is gone or has no wish."""
        self._states.by_key.pop((namespace, name), None)

    def backups(self, by_phase: Mapping[BackupPhase, int], unreadable: int) -> None:
        """Note the backups there are; a phase that is not named has none."""
        for phase in get_args(BackupPhase):
            self._gauges["rso_backups"].labels(phase).set(by_phase.get(phase, 0))
        self._gauges["rso_unreadable_backups"].set(unreadable)

    def keys_readable(self, *, readable: bool) -> None:
        self._gauges["rso_keys_readable"].set(readable)

    def leading(self, *, leads: bool) -> None:
        self._gauges["rso_leader"].set(leads)

    def requested(self, verb: str, resource: str, status: int | None, seconds: float) -> None:
        """Count a request; `status` is None when no answer came."""
        self._start_requests(verb, resource)
        self._counters["rso_requests_total"].labels(verb, resource, _code(status)).inc()
        if verb != "watch":
            self._histograms["rso_request_seconds"].labels(verb).observe(seconds)

    def _start_requests(self, verb: str, resource: str) -> None:
        for code in CODES:  # so that the first failure is an increase
            self._counters["rso_requests_total"].labels(verb, resource, code)

    def watch_restarted(self, kind: str) -> None:
        self._counters["rso_watch_restarts_total"].labels(kind).inc()

    def undecodable(self, kind: str) -> None:
        self._counters["rso_undecodable_objects_total"].labels(kind).inc()

    def event(self, reason: Reason | Note) -> None:
        self._counters["rso_events_total"].labels(reason.value).inc()


class _States(Collector):
    """Counts sets by state when metrics are read, so that nothing can drift."""

    def __init__(self) -> None:
        self.by_key: dict[tuple[str, str], tuple[State, str]] = {}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        known = dict(self.by_key)  # a copy: whoever reads may be another thread
        states = Tally(state for state, _ in known.values())
        reasons = Tally(reason for _, reason in known.values())
        yield _family("rso_statefulsets", {(each,): states[each] for each in get_args(State)})
        yield _family("rso_blocked_statefulsets", {(each,): reasons[each] for each in REASONS})
        unfinished = sorted((*key, *state) for key, state in known.items() if _open(state))
        shown = unfinished[:MAX_SET_SERIES]
        yield _family("rso_statefulset_state", dict.fromkeys(shown, 1))


def _rows(kind: str) -> Iterator[Metric]:
    return (row for row in TABLE if row.kind == kind and not row.is_computed)


def _build(registry: CollectorRegistry, make: type[Made], kind: str) -> dict[str, Made]:
    made = {}
    for row in _rows(kind):
        metric = made[row.name] = make(row.name, row.help, tuple(row.labels), registry=registry)
        _start(metric, row)
    return made


def _histogram(registry: CollectorRegistry, row: Metric) -> Histogram:
    histogram = Histogram(
        row.name, row.help, tuple(row.labels), registry=registry, buckets=row.buckets
    )
    _start(histogram, row)
    return histogram


def _start(metric: Counter | Gauge | Histogram, row: Metric) -> None:
    """Make the series of closed lists; a list that is not closed makes none."""
    for values in product(*row.labels.values()):
        if values:
            metric.labels(*values)


def _open(state: tuple[State, str]) -> bool:
    return state[0] != "done"


def _row(name: str) -> Metric:
    return next(row for row in TABLE if row.name == name)


def _family(name: str, values: Mapping[tuple[str, ...], int]) -> GaugeMetricFamily:
    row = _row(name)
    family = GaugeMetricFamily(name, row.help, labels=tuple(row.labels))
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def _code(status: int | None) -> str:
    if status is None:
        return "unreachable"
    return str(status) if str(status) in CODES else f"{status // 100}xx"


if __name__ == "__main__":
    sys.stdout.write(markdown())
