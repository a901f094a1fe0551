"""The resizer: caches, a queue, workers, a Lease, in one object.

An ordinary object without module-level state: many live in one process, which is how fault cases
run against one API server.
"""

import asyncio
from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry

from rso.app import resources
from rso.app.assembly import make_reconciler, make_tools
from rso.app.caches import Caches
from rso.app.keys import KeyRing
from rso.app.lanes import Lanes
from rso.app.leader import LEASE
from rso.app.metering import MeteredTransport
from rso.app.metric_table import QUANTITIES
from rso.app.metrics import Metrics
from rso.app.notice import Notices, said
from rso.app.outside import Outside
from rso.app.patience import Patience
from rso.app.reconcile import AWAY_SECONDS
from rso.app.repeats import Repeats
from rso.app.resume import Refused
from rso.app.seal import Sealer
from rso.app.settings import Settings
from rso.app.tenure import Tenure, silence
from rso.app.turn import Turns
from rso.core.names import APP, FIELD_MANAGER, Phase
from rso.core.quantity import InvalidQuantity
from rso.core.world import Key
from rso.kube.client import Client
from rso.kube.clock import Clock
from rso.kube.errors import KubeError, MayNotWrite
from rso.kube.lease import Lease
from rso.kube.queue import WorkQueue
from rso.kube.recorder import Recorder
from rso.kube.transport import Transport
from rso.kube.workers import run_workers

Reconcile = Callable[[Key], Awaitable[float | None]]

RECONCILE_SECONDS = 60.0
GRACE_SECONDS = 25.0  # Kubernetes kills after 30 by default


class Resizer:
    """Grows claims and recreates sets until stopped.

    `transport` reaches the API server; `metrics` may be shared with whoever serves them.
    """

    def __init__(
        self, settings: Settings, transport: Transport, clock: Clock, metrics: Metrics | None = None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self.metrics = metrics or Metrics(CollectorRegistry())
        self._transport = MeteredTransport(transport, self.metrics, clock)
        lease_client = Client(self._transport, clock=clock, field_manager=FIELD_MANAGER)
        lease = Lease(lease_client, clock, settings.operator_namespace, LEASE, settings.identity)
        self._tenure = Tenure(lease, elects=settings.leader_elect)
        self._client = Client(
            self._transport,
            clock=clock,
            field_manager=FIELD_MANAGER,
            may_write=self._tenure.may_write,
        )
        self._recorder = Recorder(self._client, f"{APP}-resizer", settings.identity, clock)
        self._notices = Notices(self._recorder, self.metrics)
        self._keys = KeyRing(settings.key_dir) if settings.key_dir else None
        self._queue: WorkQueue[Key] = WorkQueue(clock)
        self._turns = Turns(clock, settings.recreate_concurrency, self._queue.add_after)
        self._patience = Patience(clock)
        self._repeats = Repeats(clock)
        self._caches = Caches(
            self._client, clock, self.metrics, settings.namespaces, settings.operator_namespace
        )
        self._forget_answers: Callable[[Key], None] = lambda _key: None
        self._count_sealed: Callable[[], int] = lambda: 0
        self._leads = False

    async def run(self) -> None:
        """Work until stopped, as the leader or waiting to become it.

        Raises: KubeError, when the cluster cannot be read at the start; LeaseLost.
        """
        namespace = await self._client.get(
            resources.NAMESPACES, None, self._settings.operator_namespace
        )
        self._warn_without_key()
        reconcile = self._assemble(namespace.metadata.uid)

        async def lead() -> None:
            await self._lead(reconcile)

        background = (self._caches.run(), self._recorder.run())
        await self._tenure.run(self._caches.wait_synced, lead, background)

    def _warn_without_key(self) -> None:
        if self._keys is None or self._keys.current() is None:
            why = self._keys.problem if self._keys else "no --key-dir was given"
            self._notices.log.warning("no set is recreated without a key", why=why)

    def stop(self) -> None:
        """End in order: requests in flight end, and absent sets are brought back."""
        self._tenure.stop()

    def missing(self) -> str | None:
        """Return what keeps this resizer from being ready; None when it is."""
        return self._caches.missing()

    def ailing(self) -> str | None:
        """Return why this resizer should be started again; None when it is well."""
        return silence(self._clock.monotonic() - self._caches.oldest_contact())

    def _assemble(self, cluster: str) -> Reconcile:
        sealer = Sealer(self._keys, cluster, self._settings.operator_namespace)
        tools = make_tools(
            self._client, self._caches, sealer, self._settings.bounds, self._notices, self._clock
        )
        self._forget_answers = tools.gatherer.forget
        self._count_sealed = tools.gatherer.sealed
        outside = Outside(self._client, sealer, self._settings.bounds, self._notices, self._clock)
        self._caches.touch = self._touch
        self._caches.forget = self._forget
        self._caches.backups_damaged = self._tell_damaged
        self.metrics.follow_queue(lambda: len(self._queue))
        reconciler = make_reconciler(
            tools, self._turns, self._patience, self._repeats, self._caches.wait_gone
        )

        async def reconcile(key: Key) -> float | None:
            try:
                if self._caches.covers(key.namespace):
                    return await reconciler.reconcile(key, self._queue.attempts(key))
                await outside.finish(key)
                return None
            finally:
                self._measure()

        return reconcile

    async def _lead(self, reconcile: Reconcile) -> None:
        self._leads = True  # from here on each change queues its set; what is there, below
        self.metrics.leading(leads=True)
        try:
            for key in (*self._caches.absent(), *self._caches.keys(), *self._caches.backup_keys()):
                self._queue.add(key)
            await self._work(reconcile)
        finally:
            self.metrics.leading(leads=False)

    async def _work(self, reconcile: Reconcile) -> None:
        lanes = Lanes(self._settings.concurrency, self._queue.add)
        workers = asyncio.ensure_future(
            run_workers(
                self._queue,
                lambda key: lanes.run(key, reconcile),
                self._settings.concurrency,
                RECONCILE_SECONDS,
                self._failed,
            )
        )
        stopping = asyncio.ensure_future(self._tenure.stopped())
        try:
            await asyncio.wait({workers, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if workers.done():
                # Workers end only with the queue: a resizer that does nothing must not hold the
                # Lease.
                await workers
            self._queue.shut_down()
            deadline = self._clock.monotonic() + GRACE_SECONDS
            await asyncio.wait({workers}, timeout=GRACE_SECONDS)
            await self._bring_back_absent(reconcile, deadline)
        finally:
            stopping.cancel()
            workers.cancel()
            await asyncio.gather(workers, stopping, return_exceptions=True)

    async def _bring_back_absent(self, reconcile: Reconcile, deadline: float) -> None:
        """Go on with the sets that are away because of us, and with no other."""
        while self._clock.monotonic() < deadline:
            absent = [key for key in self._caches.absent() if self._is_away(key)]
            if not absent:
                return
            for key in absent:
                try:
                    async with asyncio.timeout(max(deadline - self._clock.monotonic(), 0.0)):
                        await reconcile(key)
                except Exception as error:  # noqa: BLE001  one set must not keep another away
                    self._failed(key, error)
            await self._clock.sleep(0.1)

    def _is_away(self, key: Key) -> bool:
        statefulset = self._caches.statefulset(key)
        return statefulset is None or statefulset.metadata.is_deleting

    def _measure(self) -> None:
        backups = self._caches.backup_index
        self.metrics.absent_now(len(self._caches.absent()))
        self.metrics.keys_readable(
            readable=self._keys is not None and self._keys.current() is not None
        )
        self.metrics.backups(
            {
                "saved": backups.count(None),
                "deleting": backups.count(Phase.DELETING),
                "superseded": backups.count(Phase.SUPERSEDED),
            },
            unreadable=len(backups.damaged()) + self._count_sealed(),
        )

    def _tell_damaged(self) -> None:
        """Tell of the backups that no set stands for."""
        self._measure()
        for backup in self._caches.backup_index.damaged():
            self._notices.log.error("backup is damaged", backup=backup.name, why=backup.fault)

    def _failed(self, key: Key, error: Exception) -> None:
        log = self._notices.named(key)
        if key in self._caches.absent() and self._is_away(key):
            self._queue.add_after(key, AWAY_SECONDS)  # earlier than the growing delay of its retry
        if isinstance(error, MayNotWrite):
            log.debug("not the leader any more")
        elif isinstance(error, InvalidQuantity):
            self.metrics.undecodable(QUANTITIES)
            log.error("a size cannot be read", error=str(error))
        elif isinstance(error, Refused):
            log.error("set cannot be brought back", why=str(error))
        elif isinstance(error, (KubeError, TimeoutError)):
            log.warning("request failed", error=said(error))
        else:
            log.failure("reconcile failed", error)

    def _touch(self, key: Key, is_new: bool) -> None:  # noqa: FBT001  the callback of the caches
        if is_new:
            self._patience.end(key)
        if self._leads:
            self._queue.add(key)
        if not self._caches.absent():
            self._turns.wake_next()

    def _forget(self, key: Key) -> None:
        """Forget a set that is gone; its backups, if any, still speak for it."""
        self.metrics.forget(*key)
        self._notices.forget(key)
        if not self._caches.backups(key):
            self._forget_answers(key)
            self._repeats.end(key)
