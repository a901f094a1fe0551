"""Measures how full the volumes of all auto-scaled sets are, and remembers it."""

import logging
from collections.abc import Iterator

from rso.app.history import History
from rso.app.log import Logger
from rso.app.mounts import subject_of
from rso.app.scaler_caches import ScalerCaches
from rso.app.scaler_metrics import ScalerMetrics
from rso.app.turns import in_turns
from rso.app.usage.source import Failure, Measured, Source, Subject
from rso.core.autoscale import Usage, samples_needed
from rso.core.model import StatefulSet
from rso.core.scaling import Scaling
from rso.kube.clock import Clock


class Measurer:
    """Asks a source about each claim that a Pod of its set mounts.

    `defaults` is what holds where a set does not say how many samples count.
    """

    def __init__(
        self,
        caches: ScalerCaches,
        source: Source,
        defaults: Scaling,
        metrics: ScalerMetrics,
        clock: Clock,
    ) -> None:
        self._caches = caches
        self._source = source
        self._defaults = defaults
        self._metrics = metrics
        self._history = History(clock)
        self._failing: set[tuple[str, str, str]] = set()
        self._log = Logger(logging.getLogger(__name__))
        caches.claim_changed = self._history.changed

    async def measure(self) -> None:
        """Ask about all claims; without any nobody is asked."""
        self._begin()
        subjects = [each async for each in in_turns(self._subjects())]
        measured = await self._source.measure(subjects) if subjects else Measured({})
        keys = {each.key for each in subjects}
        self._history.keep_only(keys)
        self._metrics.measured(len(keys), len(measured.samples), measured.failures)
        self._tell(measured.failures)
        async for statefulset in in_turns(iter(self._caches.statefulsets())):
            self._remember(statefulset, measured)

    def usages(self, statefulset: StatefulSet) -> Iterator[Usage]:
        """Yield what is known of each claim that bears a name of the set."""
        for claim in self._caches.claims(statefulset):
            is_mounted = bool(self._caches.pods(statefulset, claim))
            yield self._history.usage(claim, is_mounted=is_mounted)

    def _begin(self) -> None:
        jump = self._history.begin()
        if jump is not None:
            self._metrics.clock_jumped()
            seconds = round(jump.total_seconds())
            self._log.warning("the wall clock has jumped; samples are dropped", seconds=seconds)

    def _subjects(self) -> Iterator[Subject]:
        for statefulset in self._caches.statefulsets():
            for claim in self._caches.claims(statefulset):
                for pod in self._caches.pods(statefulset, claim):
                    yield subject_of(claim, pod)

    def _remember(self, statefulset: StatefulSet, measured: Measured) -> None:
        kept = samples_needed(statefulset, self._defaults)
        for claim in self._caches.claims(statefulset):
            sample = measured.samples.get((claim.metadata.namespace, claim.metadata.name))
            if sample is not None:
                self._history.take(claim, sample, kept)

    def _tell(self, failures: tuple[Failure, ...]) -> None:
        """Log what cannot be read, once until it can be read again."""
        now = {(each.source, each.place, each.fault.value): each for each in failures}
        for (source, place, fault), each in now.items():
            if (source, place, fault) not in self._failing:
                self._log.warning(
                    "usage cannot be read",
                    source=source,
                    place=place,
                    fault=fault,
                    error=each.sentence,
                )
        for source, place, fault in sorted(self._failing - now.keys()):
            self._log.info("usage is read again", source=source, place=place, fault=fault)
        self._failing = set(now)
