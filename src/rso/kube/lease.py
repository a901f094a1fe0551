"""One leader at a time, as far as a Lease can promise it.

Source: client-go ``tools/leaderelection`` (durations; the local clock judges), with two stricter
rules. A renewal counts from the moment it was *sent*, and the work is cancelled at the deadline
even while a request hangs. A record with our own identity that this object did not write is a
rival's.

The Lease is no fence: between the last look at the clock and the server's commit anything may
happen, so each destructive write carries uid and resourceVersion as well.

    sent          +2 s          +4 s ...              +10 s                    +15 s
    | renewed ----| retry ------| retry --------------| work cancelled --------| a rival may take
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from rso.kube import errors
from rso.kube.client import Client
from rso.kube.clock import Clock, cancel, within
from rso.kube.errors import AlreadyExists, Conflict, KubeError, LeaseLost, NotFound
from rso.kube.kinds import raw
from rso.kube.transport import Resource

DURATION_SECONDS = 15.0  # as the core components of Kubernetes
RENEW_DEADLINE_SECONDS = 10.0  # likewise
RETRY_SECONDS = 2.0  # likewise
JITTER_RATIO = 0.2  # likewise
MICROTIME = "%Y-%m-%dT%H:%M:%S.%fZ"
LEASES = raw(Resource("coordination.k8s.io", "v1", "leases"))

Mark = tuple[str, str]  # holder and renewTime: names one write, by the microsecond

log = logging.getLogger(__name__)


class Lease:
    """A Lease and whether we hold it.

    ``client`` must be one without ``may_write``, since ``is_held`` is what others ask there.
    """

    def __init__(  # noqa: PLR0913  three durations belong together
        self,
        client: Client,
        clock: Clock,
        namespace: str,
        name: str,
        identity: str,
        *,
        duration_seconds: float = DURATION_SECONDS,
        renew_deadline_seconds: float = RENEW_DEADLINE_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        if not duration_seconds > renew_deadline_seconds > retry_seconds * (1 + JITTER_RATIO) > 0:
            raise ValueError("a Lease needs duration > renew deadline > 1.2 times retry")
        self._client = client
        self._clock = clock
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._duration = duration_seconds
        self._renew_deadline = renew_deadline_seconds
        self._retry = retry_seconds
        self._held_until = float("-inf")
        self._record: dict[str, Any] = {}  # as the server last showed it to us as ours
        self._sent: set[Mark] = set()  # a write whose answer was lost may be the current one
        self._seen: Mark | None = None
        self._seen_at = 0.0

    def is_held(self) -> bool:
        """Return whether we may act as the leader, by the local clock alone."""
        return self._clock.monotonic() < self._held_until

    async def hold(self, work: Callable[[], Awaitable[None]]) -> None:
        """Wait to become the leader, run the work, and give the Lease back when it has ended.

        Raises: LeaseLost, after the work was cancelled and has ended; whatever the work raises.
        """
        await self._acquire()
        running = asyncio.ensure_future(work())
        keeping = asyncio.ensure_future(self._keep())
        try:
            await self._until_ended(running, keeping)
        finally:
            await cancel(keeping)
            if self.is_held() and _ended_in_order(running):
                await self._release()  # strictly after the work has ended
            self._held_until = float("-inf")
        running.result()

    async def _until_ended(
        self, running: asyncio.Future[None], keeping: asyncio.Future[None]
    ) -> None:
        try:
            await asyncio.wait({running, keeping}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            running.cancel()  # renewing goes on until the work has ended
            await asyncio.wait({running, keeping}, return_when=asyncio.FIRST_COMPLETED)
            raise
        finally:
            lost = not running.done()
            if lost:
                self._held_until = float("-inf")  # strictly before the cancel: no write any more
                await cancel(running)
        if lost:
            raise LeaseLost(f"lease {self._name}: {keeping.exception()}")

    async def _acquire(self) -> None:
        while True:
            try:
                if await self._try():
                    log.info("leading", extra={"lease": self._name, "identity": self._identity})
                    return
            except (KubeError, TimeoutError) as error:
                self._log("cannot read or take the Lease", error)
            jitter = 1 + JITTER_RATIO * random.random()  # noqa: S311  spreads load only
            await self._clock.sleep(self._retry * jitter)

    async def _try(self) -> bool:
        try:
            record = await self._within(self._get())
        except NotFound:
            return await self._take({"metadata": {"name": self._name}}, create=True)
        spec = record.get("spec") or {}
        if self._is_free(spec):
            return await self._take(record)
        return False

    def _is_free(self, spec: dict[str, Any]) -> bool:
        if not spec.get("holderIdentity") or _mark(spec) in self._sent:
            return True
        if _mark(spec) != self._seen:
            self._seen, self._seen_at = _mark(spec), self._clock.monotonic()
        theirs = spec.get("leaseDurationSeconds") or 0
        return self._clock.monotonic() - self._seen_at >= max(theirs, self._duration)

    async def _take(self, record: dict[str, Any], *, create: bool = False) -> bool:
        old = record.get("spec") or {}
        now = self._now()
        spec = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": round(self._duration),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": 0 if create else (old.get("leaseTransitions") or 0) + 1,
        }
        try:
            await self._store(record, spec, create=create)
        except (Conflict, AlreadyExists):
            return False  # somebody was faster
        return True

    async def _keep(self) -> None:
        """Renew for ever.

        Raises: LeaseLost, at once when somebody else holds it, at the latest at the deadline.
        """
        renewing = asyncio.ensure_future(self._renew())
        try:
            while self.is_held():
                left = self._held_until - self._clock.monotonic()
                with suppress(TimeoutError):
                    await within(self._clock, left, asyncio.shield(renewing))
            raise LeaseLost("not renewed in time")
        finally:
            await cancel(renewing)

    async def _renew(self) -> None:
        while True:
            await self._clock.sleep(self._retry)
            try:
                await self._update()
            except LeaseLost:
                raise
            except (KubeError, TimeoutError) as error:
                self._log("cannot renew the Lease", error)

    async def _release(self) -> None:
        try:
            # One second, for rivals that wait even for a record without a holder.
            await self._update(holderIdentity="", leaseDurationSeconds=1)
        except (KubeError, TimeoutError) as error:
            self._log("cannot give the Lease back", error)

    async def _update(self, **changes: object) -> None:
        """Write our record; a conflict with somebody who left the holder alone is no loss.

        Raises: LeaseLost.
        """
        try:
            await self._store(self._record, self._renewed(changes))
        except (Conflict, NotFound):
            self._record = await self._look()
            await self._store(self._record, self._renewed(changes))

    def _renewed(self, changes: dict[str, object]) -> dict[str, Any]:
        return {**self._record["spec"], **changes, "renewTime": self._now()}

    async def _look(self) -> dict[str, Any]:
        """Return the record, if it is still ours.

        Raises: LeaseLost, when it is not.
        """
        try:
            record = await self._within(self._get())
        except NotFound:
            raise LeaseLost("somebody deleted it") from None
        spec = record.get("spec") or {}
        if _mark(spec) not in self._sent:
            raise LeaseLost(f"held by {errors.printable(str(spec.get('holderIdentity')))}")
        return record

    async def _get(self) -> dict[str, Any]:
        return await self._client.get(LEASES, self._namespace, self._name)

    async def _store(
        self, record: dict[str, Any], spec: dict[str, Any], *, create: bool = False
    ) -> None:
        """Write a record with a new spec; success makes us the holder until the deadline."""
        body = {**record, "spec": spec}
        sent = self._clock.monotonic()
        self._sent.add(_mark(spec))
        if create:
            write = self._client.create(LEASES, self._namespace, body)
        else:
            write = self._client.replace(LEASES, self._namespace, self._name, body)
        self._record = await self._within(write)
        self._sent = {_mark(spec)}
        self._held_until = sent + self._renew_deadline

    async def _within(self, answer: Awaitable[dict[str, Any]]) -> dict[str, Any]:
        # Half of the deadline: one request that hangs leaves time for another.
        return await within(self._clock, self._renew_deadline / 2, answer)

    def _now(self) -> str:
        return self._clock.now().strftime(MICROTIME)

    def _log(self, message: str, error: Exception) -> None:
        text = errors.printable(f"{type(error).__name__}: {error}")
        log.warning(message, extra={"lease": self._name, "error": text})


def _mark(spec: dict[str, Any]) -> Mark:
    return (str(spec.get("holderIdentity") or ""), str(spec.get("renewTime") or ""))


def _ended_in_order(running: asyncio.Future[None]) -> bool:
    return (
        running.cancelled() or not running.exception() or isinstance(running.exception(), Exception)
    )
