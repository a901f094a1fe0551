"""The autoscaler: caches, usage sources, a look at each interval, a Lease, in one object."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from prometheus_client import CollectorRegistry

from rso.app.looks import Looks
from rso.app.measure import Measurer
from rso.app.metering import MeteredTransport
from rso.app.scaler_caches import ScalerCaches
from rso.app.scaler_metrics import ScalerMetrics
from rso.app.scaler_notices import ScalerNotices
from rso.app.settings import AutoscalerSettings
from rso.app.tenure import Tenure, silence
from rso.app.usage.source import Source
from rso.core.names import APP, FIELD_MANAGER
from rso.kube.client import Client
from rso.kube.clock import Clock, cancel
from rso.kube.lease import Lease
from rso.kube.recorder import Recorder
from rso.kube.transport import Transport

LEASE = f"{APP}-autoscaler"
GRACE_SECONDS = 10.0  # of a look that is under way when it is to end: as long as a node may take


class Autoscaler:
    """Looks at every auto-scaled set and writes its wish until stopped.

    `source` says how full volumes are; it is closed at the end.
    """

    def __init__(
        self, settings: AutoscalerSettings, transport: Transport, source: Source, clock: Clock
    ) -> None:
        self._settings = settings
        self._source = source
        self._clock = clock
        self.metrics = ScalerMetrics(CollectorRegistry())
        metered = MeteredTransport(transport, self.metrics, clock)
        lease_client = Client(metered, clock=clock, field_manager=FIELD_MANAGER)
        lease = Lease(lease_client, clock, settings.operator_namespace, LEASE, settings.identity)
        self._tenure = Tenure(lease, elects=settings.leader_elect)
        client = Client(
            metered, clock=clock, field_manager=FIELD_MANAGER, may_write=self._tenure.may_write
        )
        self._recorder = Recorder(client, f"{APP}-autoscaler", settings.identity, clock)
        self._notices = ScalerNotices(self._recorder, self.metrics)
        self._caches = ScalerCaches(client, clock, self.metrics, settings.namespaces)
        limits = settings.limits
        measurer = Measurer(self._caches, source, limits.defaults, self.metrics, clock)
        self._looks = Looks(self._caches, measurer, limits, client, self._notices, clock)

    async def run(self) -> None:
        """Work until stopped, as the leader or waiting to become it.

        Raises: LeaseLost.
        """
        try:
            background = (self._caches.run(), self._recorder.run())
            await self._tenure.run(self._caches.wait_synced, self._lead, background)
        finally:
            await self._source.close()

    def stop(self) -> None:
        """End in order: writes in flight end, and no look begins."""
        self._tenure.stop()

    def missing(self) -> str | None:
        """Return what keeps this autoscaler from being ready; None when it is."""
        return self._caches.missing()

    def ailing(self) -> str | None:
        """Return why this autoscaler should be started again; None when it is well."""
        return silence(self._clock.monotonic() - self._caches.oldest_contact())

    async def _lead(self) -> None:
        self.metrics.leading(leads=True)
        try:
            while not self._tenure.is_stopping:
                due = self._clock.monotonic() + self._settings.interval_seconds
                await self._until_stopped(self._look(), GRACE_SECONDS)
                rest = max(due - self._clock.monotonic(), 0.0)
                await self._until_stopped(self._clock.sleep(rest), 0.0)
        finally:
            self.metrics.leading(leads=False)

    async def _look(self) -> None:
        """Look once; whatever goes wrong, there is a next time."""
        try:
            await self._looks.look()
        except Exception as error:  # noqa: BLE001  as said
            self.metrics.failed()
            self._notices.log.failure("look failed", error)

    async def _until_stopped(self, work: Coroutine[Any, Any, None], grace_seconds: float) -> None:
        """Return when the work is done, or so long after it was to end."""
        task = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._tenure.stopped())
        try:
            await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({task}, timeout=grace_seconds)
            if task.done():
                task.result()
        finally:
            await cancel(task, stopping)
