"""Autoscalers of the test's own, each in a thread, as `operators` has resizers."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rso.app.autoscaler import Autoscaler
from rso.app.settings import AutoscalerSettings
from rso.app.usage.choice import choose
from rso.app.usage.source import Failure, Measured, Source, Subject
from rso.core.usage import Sample
from rso.kube.clock import Clock
from rso.kube.transport import Request, Response
from testbed.cluster import Cluster
from tests.support.metrics import samples
from tests.support.operators import Operator, Part, settings_for

INTERVAL_SECONDS = 0.2
GIB = 2.0**30

Odd = Callable[[Sample], Sample]


class Scaler(Operator):
    """An autoscaler that runs in a thread until it is stopped or killed.

    Without a `source` of the test's own it asks those of its settings.
    """

    def __init__(
        self,
        cluster: Cluster,
        settings: AutoscalerSettings,
        namespace: str,
        source: Source | None = None,
        before: Callable[[Request], None] | None = None,
        after: Callable[[Request, Response], None] | None = None,
    ) -> None:
        plain = settings_for(cluster, settings.operator_namespace, None)
        access = dataclasses.replace(plain, kubeconfig=settings.kubeconfig)
        super().__init__(cluster, access, namespace, before, after)
        self._chosen = settings
        self._source = source

    @property
    def looks(self) -> float:
        """How often it has looked at all sets."""
        return self.metric("rso_autoscale_seconds_count")

    def reasons(self) -> dict[str, str]:
        """Return {set: why a person should see it}, of one template each."""
        text = self.resizer.metrics.render() if self.resizer else b""
        found = samples(text, "rso_autoscaled_template_state")
        return {each.labels["name"]: each.labels["reason"] for each in found}

    def _make(self) -> Part:
        source = self._source or choose(self._chosen, self._access, self.clock)
        return Autoscaler(self._chosen, self.wire, source, self.clock)


@dataclasses.dataclass
class Told:
    """A usage source that says what a test wants: each claim is as full as this.

    `fullness` is {claim: share of its capacity that is used}; others are not known. `capacities`
    has those that are not 1Gi. `odd` changes a claim's sample before it is told.
    """

    clock: Clock
    fullness: dict[str, float] = dataclasses.field(default_factory=dict)
    capacities: dict[str, float] = dataclasses.field(default_factory=dict)
    odd: dict[str, Odd] = dataclasses.field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    asked: list[Sequence[Subject]] = dataclasses.field(default_factory=list)

    async def measure(self, subjects: Sequence[Subject]) -> Measured:
        """Return a new sample of each claim that is known."""
        self.asked.append(subjects)
        known = (each for each in subjects if each.claim in self.fullness)
        return Measured({each.key: self._sample(each) for each in known}, self.failures)

    async def close(self) -> None:
        """Nothing is open."""

    def _sample(self, subject: Subject) -> Sample:
        capacity = self.capacities.get(subject.claim, GIB)
        used = round(capacity * self.fullness[subject.claim])
        sample = Sample(
            claim_uid=subject.claim_uid,
            taken_at=self.clock.now(),
            capacity_bytes=capacity,
            used_bytes=used,
            available_bytes=capacity - used,
        )
        change = self.odd.get(subject.claim)
        return change(sample) if change else sample


def scaler_settings(
    cluster: Cluster, operator_namespace: str, **changes: object
) -> AutoscalerSettings:
    """Return settings of an autoscaler in a test: no Lease, no port, looks follow fast."""
    plain = AutoscalerSettings(
        kubeconfig=cluster.kubeconfig,
        operator_namespace=operator_namespace,
        leader_elect=False,
        interval_seconds=INTERVAL_SECONDS,
        metrics_bind=None,
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]  # any field


@contextmanager
def scaling(
    cluster: Cluster,
    namespace: str,
    settings: AutoscalerSettings,
    source: Source | None = None,
    clock: Clock | None = None,
) -> Iterator[Scaler]:
    """Run one autoscaler for a namespace."""
    scaler = Scaler(cluster, settings, namespace, source)
    scaler.clock = clock or scaler.clock
    scaler.start()
    try:
        yield scaler
    finally:
        scaler.stop()
