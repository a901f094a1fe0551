"""What an autoscaler counts.

Names of sets, nodes and Pods are labels of three metrics only, each of which is bounded (T18);
nothing is ever labelled by claim.
"""

import sys
from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, get_args

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from rso.app.meters import Meters, Metric, common, markdown
from rso.app.usage.source import Failure
from rso.app.usage.source import Fault as UsageFault
from rso.core.judge import Change, Outcome
from rso.core.names import Hold, Reason, Wished
from rso.core.world import Key

MOST_SERIES = 1000  # T18
STEP = "Step"  # the reason of a template that is given a bigger wish
SOURCES = ("kubelet", "prometheus", "exec")

Refusal = Literal["conflict", "refused", "error"]

_KINDS = ("statefulsets", "persistentvolumeclaims", "pods")
QUANTITIES = "quantities"  # sizes inside an object that could itself be read
# What the autoscaler asks for: {resource: verbs}. SECURITY.md says what for.
REQUESTS = {
    "statefulsets": ("list", "watch", "patch"),
    "persistentvolumeclaims": ("list", "watch"),
    "pods": ("list", "watch"),
    "events": ("create", "patch"),
    "leases": ("get", "create", "update"),
}
_HOLDS = tuple(each.value for each in Hold)
# These are for a person: of all others somebody only has to wait.
TELLING = frozenset(
    {
        Hold.AT_LIMIT,
        Hold.STEPS_PER_DAY,
        Hold.INFEASIBLE,
        Hold.NO_USAGE,
        Hold.NOT_YET_VISIBLE,
        *(each for each in Hold if each.value.startswith("Distrusted")),
    }
)
_EVENTS = (
    Reason.MALFORMED.value,
    Reason.UNKNOWN_TEMPLATE.value,
    *(each.value for each in Wished),
    *_HOLDS,
)
_PASS_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

TABLE = (
    Metric("rso_autoscaled_statefulsets", "gauge", "Sets that were looked at in the last look."),
    Metric(
        "rso_autoscaled_templates",
        "gauge",
        f"Claim templates by why they get no step; {STEP}: they got one. Alert on AtLimit.",
        {"reason": (STEP, *_HOLDS)},
        is_computed=True,
    ),
    Metric(
        "rso_autoscaled_claims",
        "gauge",
        f"Claims that Pods use, by why they ask for no step; {STEP}: they ask for one.",
        {"reason": (STEP, *_HOLDS)},
        is_computed=True,
    ),
    Metric(
        "rso_autoscaled_template_state",
        "gauge",
        "1 for each template whose reason a person should see; at most "
        f"{MOST_SERIES}, in the order of names.",
        {"namespace": (), "name": (), "template": (), "reason": ()},
        is_computed=True,
    ),
    Metric(
        "rso_autoscale_malformed_statefulsets",
        "gauge",
        f"1 for each set with an annotation that cannot be followed; at most {MOST_SERIES}.",
        {"namespace": (), "name": (), "annotation": ()},
        is_computed=True,
    ),
    Metric(
        "rso_autoscale_wishes_total",
        "counter",
        "Wishes of the autoscaler that were written, by what became of them.",
        {"change": (Change.RAISE.value, Change.LOWER.value, Change.WITHDRAW.value)},
    ),
    Metric(
        "rso_autoscale_failed_writes_total",
        "counter",
        "Wishes that could not be written: the set has changed meanwhile (normal: the next look "
        "decides anew), it was refused, or no good answer came.",
        {"result": get_args(Refusal)},
    ),
    Metric(
        "rso_autoscale_failed_statefulsets_total",
        "counter",
        "Looks at a set that ended in an error; others went on.",
    ),
    Metric("rso_autoscale_seconds", "histogram", "Time of one look at all.", {}, _PASS_BUCKETS),
    Metric(
        "rso_autoscale_last_timestamp_seconds",
        "gauge",
        "When the last look at all ended, in seconds since 1970. Alert on its age.",
    ),
    Metric("rso_usage_claims", "gauge", "Claims whose usage was asked for in the last look."),
    Metric("rso_usage_samples", "gauge", "Claims of which there was a sample."),
    Metric(
        "rso_usage_failures_total",
        "counter",
        "What could not be read, by usage source and fault.",
        {"source": SOURCES, "fault": tuple(each.value for each in UsageFault)},
    ),
    Metric(
        "rso_usage_failing",
        "gauge",
        "1 for each node, query or Pod that could not be read in the last look; at most "
        f"{MOST_SERIES}.",
        {"source": (), "place": (), "fault": ()},
        is_computed=True,
    ),
    Metric("rso_clock_jumps_total", "counter", "Jumps of the wall clock; samples were dropped."),
    *common((*_KINDS, QUANTITIES), _KINDS, _EVENTS),
)


class ScalerMetrics(Meters, Collector):
    """The metrics of one autoscaler, in a registry of its own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._outcomes: dict[Key, tuple[Outcome, ...]] = {}
        self._malformed: dict[Key, str] = {}
        self._failing: tuple[Failure, ...] = ()
        super().__init__(registry, TABLE, REQUESTS)
        registry.register(self)

    def judged(self, key: Key, outcomes: tuple[Outcome, ...]) -> None:
        """Note what became of a set; the last word counts."""
        self._malformed.pop(key, None)
        self._outcomes[key] = outcomes

    def malformed(self, key: Key, annotation: str) -> None:
        """Note that a set's annotations cannot be followed."""
        self._outcomes.pop(key, None)
        self._malformed[key] = annotation

    def looked(self, keys: Sequence[Key], seconds: float, at: float) -> None:
        """Note the end of a look at these sets; others are forgotten."""
        kept = set(keys)
        self._outcomes = {key: each for key, each in self._outcomes.items() if key in kept}
        self._malformed = {key: each for key, each in self._malformed.items() if key in kept}
        self._gauges["rso_autoscaled_statefulsets"].set(len(kept))
        self._histograms["rso_autoscale_seconds"].observe(seconds)
        self._gauges["rso_autoscale_last_timestamp_seconds"].set(at)

    def measured(self, asked: int, samples: int, failures: tuple[Failure, ...]) -> None:
        self._gauges["rso_usage_claims"].set(asked)
        self._gauges["rso_usage_samples"].set(samples)
        self._failing = failures
        for each in failures:
            self._counters["rso_usage_failures_total"].labels(each.source, each.fault.value).inc()

    def wrote(self, change: Change) -> None:
        self._counters["rso_autoscale_wishes_total"].labels(change.value).inc()

    def not_written(self, result: Refusal) -> None:
        self._counters["rso_autoscale_failed_writes_total"].labels(result).inc()

    def failed(self) -> None:
        self._counters["rso_autoscale_failed_statefulsets_total"].inc()

    def clock_jumped(self) -> None:
        self._counters["rso_clock_jumps_total"].inc()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield what is counted when metrics are read."""
        known = dict(self._outcomes)  # a copy: whoever reads may be another thread
        templates = Tally(_reason(each.hold) for every in known.values() for each in every)
        claims = Tally(
            _reason(claim.hold)
            for every in known.values()
            for each in every
            for claim in each.claims
        )
        reasons = (STEP, *_HOLDS)
        yield self._family("rso_autoscaled_templates", {(r,): templates[r] for r in reasons})
        yield self._family("rso_autoscaled_claims", {(r,): claims[r] for r in reasons})
        states = (
            (*key, each.name, each.hold.value)
            for key, every in known.items()
            for each in every
            if each.hold in TELLING
        )
        yield self._bounded("rso_autoscaled_template_state", states)
        malformed = ((*key, annotation) for key, annotation in dict(self._malformed).items())
        yield self._bounded("rso_autoscale_malformed_statefulsets", malformed)
        failing = ((each.source, each.place, each.fault.value) for each in self._failing)
        yield self._bounded("rso_usage_failing", failing)

    def _bounded(self, name: str, series: Iterable[tuple[str, ...]]) -> GaugeMetricFamily:
        return self._family(name, dict.fromkeys(sorted(set(series))[:MOST_SERIES], 1))


def _reason(hold: Hold | None) -> str:
    return hold.value if hold else STEP


if __name__ == "__main__":
    sys.stdout.write(markdown(TABLE))
