"""What the webhook counts."""

from collections.abc import Callable
from importlib.metadata import version
from typing import get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from rso.core.names import APP
from rso.core.verdict import Outcome

OPERATIONS = ("CREATE", "UPDATE")
_REFUSALS = ("400", "404", "405", "413", "415", "429")
_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0)


class WebhookMetrics:
    """The metrics of one webhook, in a registry of its own; every series stands at zero first."""

    def __init__(self, registry: CollectorRegistry) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's own gap
        self._registry = registry
        ProcessCollector(registry=registry)
        self._reviews = Counter(
            "rso_reviews_total",
            "Reviews by what became of them.",
            ("operation", "outcome"),
            registry=registry,
        )
        self._refusals = Counter(
            "rso_review_refusals_total",
            "Requests that were no review, by HTTP status.",
            ("code",),
            registry=registry,
        )
        self._seconds = Histogram(
            "rso_review_seconds",
            "Time from the header of a request to its answer.",
            registry=registry,
            buckets=_BUCKETS,
        )
        self._expiry = Gauge(
            "rso_certificate_expiry_timestamp_seconds",
            "When the certificate that is served expires, in seconds since 1970.",
            registry=registry,
        )
        info = Gauge(
            "rso_build_info", "1, labelled with the version.", ("version",), registry=registry
        )
        info.labels(version(APP)).set(1)
        self._start()

    def render(self) -> bytes:
        """Return all series in the text format of Prometheus."""
        return generate_latest(self._registry)

    def answered(self, operation: str, outcome: Outcome, seconds: float) -> None:
        known = operation if operation in OPERATIONS else "other"
        self._reviews.labels(known, outcome).inc()
        self._seconds.observe(seconds)

    def refused(self, status: int, seconds: float) -> None:
        self._refusals.labels(str(int(status))).inc()
        self._seconds.observe(seconds)

    def follow_expiry(self, when: Callable[[], float]) -> None:
        """Ask a function for the time whenever metrics are read."""
        self._expiry.set_function(when)

    def _start(self) -> None:
        for operation in (*OPERATIONS, "other"):
            for outcome in get_args(Outcome):
                self._reviews.labels(operation, outcome)
        for code in _REFUSALS:
            self._refusals.labels(code)
