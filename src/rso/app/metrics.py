"""What a resizer counts: one method for each thing that happens.

Names of sets are labels of one metric only, which is bounded (T18); nothing is ever labelled by
claim.
"""

import sys
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping
from typing import get_args

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from rso.app.meters import Meters, markdown
from rso.app.metric_table import (
    MAX_SET_SERIES,
    REASONS,
    REQUESTS,
    TABLE,
    BackupPhase,
    Recreation,
    Result,
    State,
)
from rso.core.names import Reason


class Metrics(Meters, Collector):
    """The metrics of one resizer, in a registry of its own.

    Sets are counted by state when metrics are read, so that nothing can drift.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._states: dict[tuple[str, str], tuple[State, str]] = {}
        super().__init__(registry, TABLE, REQUESTS)
        registry.register(self)

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

    def pod_evicted(self) -> None:
        self._counters["rso_pods_evicted_total"].inc()

    def pods_changed(self, count: int) -> None:
        self._counters["rso_pods_changed_total"].inc(count)

    def saw(self, namespace: str, name: str, state: State, reason: Reason | None = None) -> None:
        """Note how a set is; the last word counts."""
        self._states[namespace, name] = (state, reason.value if reason else "")

    def forget(self, namespace: str, name: str) -> None:
        """Forget a set that is gone or has no wish."""
        self._states.pop((namespace, name), None)

    def backups(self, by_phase: Mapping[BackupPhase, int], unreadable: int) -> None:
        """Note the backups there are; a phase that is not named has none."""
        for phase in get_args(BackupPhase):
            self._gauges["rso_backups"].labels(phase).set(by_phase.get(phase, 0))
        self._gauges["rso_unreadable_backups"].set(unreadable)

    def keys_readable(self, *, readable: bool) -> None:
        self._gauges["rso_keys_readable"].set(readable)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield what is counted when metrics are read."""
        known = dict(self._states)  # a copy: whoever reads may be another thread
        states = Tally(state for state, _ in known.values())
        reasons = Tally(reason for _, reason in known.values())
        yield self._family("rso_statefulsets", {(each,): states[each] for each in get_args(State)})
        yield self._family("rso_blocked_statefulsets", {(each,): reasons[each] for each in REASONS})
        unfinished = sorted((*key, *state) for key, state in known.items() if _open(state))
        shown = unfinished[:MAX_SET_SERIES]
        yield self._family("rso_statefulset_state", dict.fromkeys(shown, 1))


def _open(state: tuple[State, str]) -> bool:
    return state[0] != "done"


if __name__ == "__main__":
    sys.stdout.write(markdown(TABLE))
