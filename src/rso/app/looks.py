"""One look of the autoscaler at all its sets: measure, decide, write wishes.

Sets do not wait for each other: one that cannot be judged or written is told, and others go on.
"""

import asyncio
from collections.abc import Iterator, Sequence

from rso.app import resources
from rso.app.measure import Measurer
from rso.app.notice import said
from rso.app.scaler_caches import ScalerCaches, key_of
from rso.app.scaler_metrics import QUANTITIES, Refusal
from rso.app.scaler_notices import ScalerNotices
from rso.app.turns import in_turns
from rso.core.autoscale import Scaled, decide
from rso.core.bodies import automatic_wish
from rso.core.faults import Fault
from rso.core.judge import Change, Limits
from rso.core.model import StatefulSet
from rso.core.quantity import InvalidQuantity
from rso.kube.client import Client
from rso.kube.clock import Clock
from rso.kube.errors import ApiError, Conflict, KubeError, MayNotWrite, NotFound, ServerError

WRITES_AT_ONCE = 8

Wish = tuple[StatefulSet, Scaled]


class Looks:
    """Looks again and again."""

    def __init__(
        self,
        caches: ScalerCaches,
        measurer: Measurer,
        limits: Limits,
        client: Client,
        notices: ScalerNotices,
        clock: Clock,
    ) -> None:
        self._caches = caches
        self._measurer = measurer
        self._limits = limits
        self._client = client
        self._notices = notices
        self._metrics = notices.metrics
        self._clock = clock

    async def look(self) -> None:
        """Look at every set once."""
        began = self._clock.monotonic()
        await self._measurer.measure()
        statefulsets = self._caches.statefulsets()
        judged = [each async for each in in_turns(self._judged(statefulsets))]
        await self._write_all([wish for wish in judged if wish is not None])
        self._notices.keep_only({each.metadata.uid for each in statefulsets})
        seconds = self._clock.monotonic() - began
        keys = [key_of(each) for each in statefulsets]
        self._metrics.looked(keys, seconds, self._clock.now().timestamp())

    def _judged(self, statefulsets: Sequence[StatefulSet]) -> Iterator[Wish | None]:
        for statefulset in statefulsets:
            try:
                yield self._judge(statefulset)
            except Exception as error:  # noqa: BLE001  one set must not end the look at others
                self._failed(statefulset, error)

    def _failed(self, statefulset: StatefulSet, error: Exception) -> None:
        log = self._notices.about(statefulset)
        self._metrics.failed()
        self._metrics.judged(key_of(statefulset), ())
        if isinstance(error, InvalidQuantity):
            self._metrics.undecodable(QUANTITIES)
            log.error("a size cannot be read", error=str(error))
        else:
            log.failure("set cannot be judged", error)

    def _judge(self, statefulset: StatefulSet) -> Wish | None:
        """Decide about a set, tell what is to be told, and return what is to be written."""
        key, now = key_of(statefulset), self._clock.now()
        scaled = decide(statefulset, list(self._measurer.usages(statefulset)), self._limits, now)
        if isinstance(scaled, Fault):
            self._metrics.malformed(key, scaled.key)
            self._notices.malformed(statefulset, scaled)
            return None
        self._metrics.judged(key, scaled.outcomes)
        self._notices.well_formed(statefulset)
        for outcome in scaled.outcomes:
            if outcome.change is Change.KEEP:
                self._notices.held(statefulset, outcome)
        return (statefulset, scaled) if scaled.annotations else None

    async def _write_all(self, wishes: Sequence[Wish]) -> None:
        slots = asyncio.Semaphore(WRITES_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for statefulset, scaled in wishes:
                group.create_task(self._write(statefulset, scaled, slots))

    async def _write(
        self, statefulset: StatefulSet, scaled: Scaled, slots: asyncio.Semaphore
    ) -> None:
        metadata = statefulset.metadata
        body = automatic_wish(scaled.annotations, metadata.uid, metadata.resource_version)
        kind, log = resources.STATEFULSETS, self._notices.about(statefulset)
        async with slots:
            try:
                await self._client.patch(kind, metadata.namespace, metadata.name, body)
            except MayNotWrite:
                log.debug("not the leader any more")
            except (Conflict, NotFound):
                self._metrics.not_written("conflict")
                log.debug("set has changed meanwhile")
            except (KubeError, TimeoutError) as error:
                self._metrics.not_written(_refusal(error))
                log.warning("wish cannot be written", error=said(error))
            else:
                self._tell_written(statefulset, scaled)

    def _tell_written(self, statefulset: StatefulSet, scaled: Scaled) -> None:
        for outcome in scaled.outcomes:
            if outcome.change is not Change.KEEP:
                self._notices.wrote(statefulset, outcome)


def _refusal(error: Exception) -> Refusal:
    is_refused = isinstance(error, ApiError) and not isinstance(error, ServerError)
    return "refused" if is_refused else "error"
