"""What an operator counts: one table, and one method for each thing that happens.

Series whose labels are a closed list stand at zero from the start, so that the first increase can
be seen by an alert. Names of sets are labels of one metric only, which is bounded (T18); nothing
is ever labelled by claim.
"""

from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from typing import Literal, get_args

import msgspec
import prometheus_client
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from rso.core.names import APP, Note, Reason

MAX_SET_SERIES = 1000  # T18

Result = Literal["step", "ask", "wait", "blocked", "done", "conflict", "error"]
Recreation = Literal["done", "recovered", "name_taken"]
State = Literal["growing", "waiting", "blocked", "done"]
BackupPhase = Literal["saved", "deleting", "superseded"]

_CODES = ("2xx", "3xx", "4xx", "404", "409", "422", "429", "5xx", "unreachable")
_KINDS = ("statefulsets", "persistentvolumeclaims", "configmaps")
_EVENTS = (*(each.value for each in Reason), *(each.value for each in Note))
_REASONS = tuple(each.value for each in Reason)
_WORK_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60)
# The target is 0.1 s; beyond 60 s a person is needed.
_ABSENCE_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metric(msgspec.Struct, frozen=True):
    """A row of the table. `labels` is {label: its closed list, empty if there is none}."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: dict[str, tuple[str, ...]] = {}
    buckets: tuple[float, ...] = ()


TABLE = (
    Metric(
        "rso_reconciles_total",
        "counter",
        "Looks at a set, by what came of it: one step done, a question asked, waiting, blocked, "
        "nothing to do, a conflict (normal: it is looked at again), or an error.",
        {"result": get_args(Result)},
    ),
    Metric("rso_reconcile_seconds", "histogram", "Time of one look.", {}, _WORK_BUCKETS),
    Metric("rso_queue_depth", "gauge", "Sets that wait for a worker."),
    Metric("rso_claims_grown_total", "counter", "Claims whose request was raised."),
    Metric("rso_claims_grown_bytes_total", "counter", "Bytes by which requests were raised."),
    Metric(
        "rso_recreates_total",
        "counter",
        "Sets that were replaced: in one go, recovered from a backup after a crash, or found "
        "replaced by somebody else.",
        {"result": get_args(Recreation)},
    ),
    Metric(
        "rso_statefulset_absence_seconds",
        "histogram",
        "Time from the delete of a set to its create.",
        {},
        _ABSENCE_BUCKETS,
    ),
    Metric("rso_absent_statefulsets", "gauge", "Sets that are deleted by us and not yet back."),
    Metric(
        "rso_pods_changed_total", "counter", "Pods found changed after a recreate; never by us."
    ),
    Metric(
        "rso_statefulsets",
        "gauge",
        "Sets with a wish, by state.",
        {"phase": get_args(State)},
    ),
    Metric(
        "rso_blocked_statefulsets",
        "gauge",
        "Sets that wait or are blocked, by reason; each has a page in the runbook.",
        {"reason": _REASONS},
    ),
    Metric(
        "rso_statefulset_state",
        "gauge",
        f"1 for each set that is not done; at most {MAX_SET_SERIES} sets, in the order of names.",
        {"namespace": (), "name": (), "phase": (), "reason": ()},
    ),
    Metric("rso_backups", "gauge", "Backups that are kept.", {"phase": get_args(BackupPhase)}),
    Metric("rso_unreadable_backups", "gauge", "Backups that cannot be opened; a person is needed."),
    Metric("rso_keys_readable", "gauge", "1 if backups can be sealed; 0: no set is recreated."),
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
        _WORK_BUCKETS,
    ),
    Metric(
        "rso_watch_restarts_total",
        "counter",
        "Watches that ended and were begun again.",
        {"kind": _KINDS},
    ),
    Metric(
        "rso_undecodable_objects_total",
        "counter",
        "Objects that could not be read and are not looked at.",
        {"kind": _KINDS},
    ),
    Metric("rso_events_total", "counter", "Kubernetes Events by reason.", {"reason": _EVENTS}),
    Metric("rso_build_info", "gauge", "1, labelled with the version.", {"version": ()}),
)

_Series = prometheus_client.Counter | prometheus_client.Gauge | prometheus_client.Histogram


class Metrics:
    """The metrics of one operator, in a registry of its own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # A time of birth beside each series would double their number.
        prometheus_client.disable_created_metrics()
        self._registry = registry
        self._states = _States()
        registry.register(self._states)
        ProcessCollector(registry=registry)
        self._counters, self._gauges, self._histograms = _build(registry)
        self._gauges["rso_build_info"].labels(version(APP)).set(1)

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
        requests = self._counters["rso_requests_total"]
        for code in _CODES:
            requests.labels(verb, resource, code)  # so that the first failure is an increase
        requests.labels(verb, resource, _code(status)).inc()
        if verb != "watch":
            self._histograms["rso_request_seconds"].labels(verb).observe(seconds)

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
        states = Tally(state for state, _ in self.by_key.values())
        reasons = Tally(reason for _, reason in self.by_key.values())
        yield _family("rso_statefulsets", {(each,): states[each] for each in get_args(State)})
        yield _family("rso_blocked_statefulsets", {(each,): reasons[each] for each in _REASONS})
        unfinished = sorted((*key, *state) for key, state in self.by_key.items() if _open(state))
        shown = unfinished[:MAX_SET_SERIES]
        yield _family("rso_statefulset_state", dict.fromkeys(shown, 1))


def markdown() -> str:
    """Return the table for the user's guide."""
    head = "| metric | type | labels | meaning |\n|---|---|---|---|\n"
    return head + "".join(
        f"| `{row.name}` | {row.kind} | {', '.join(row.labels)} | {row.help} |\n" for row in TABLE
    )


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
    return str(status) if str(status) in _CODES else f"{status // 100}xx"
