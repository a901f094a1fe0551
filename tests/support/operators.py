"""Operators of the test's own, many in one process, each in a thread with its own event loop.

A test is then a plain function: it changes the cluster, waits for a condition and looks. Each
operator sees only its own namespaces although it runs in cluster mode: the transport narrows its
lists and watches, so that hundreds of cases share one API server.
"""

import asyncio
import contextlib
import dataclasses
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, Self

from rso.app.keys import generate
from rso.app.probes import Rendered
from rso.app.resizer import Resizer
from rso.app.settings import Settings
from rso.kube.auth import from_kubeconfig
from rso.kube.clock import Clock, SystemClock
from rso.kube.transport import HttpTransport, Request, Response
from testbed.cluster import Cluster
from tests.support.metrics import total
from tests.support.wire import Crash, Wire

STOP_SECONDS = 40.0
CLOSE_SECONDS = 5.0


class Part(Protocol):
    """A part of the operator, as a process runs it."""

    async def run(self) -> None: ...
    def stop(self) -> None: ...
    def missing(self) -> str | None: ...
    @property
    def metrics(self) -> Rendered: ...


class Operator:
    """A resizer that runs in a thread until it is stopped or killed.

    A test may give it another `clock` before it starts.
    """

    clock: Clock = SystemClock()
    _numbers = itertools.count()

    def __init__(
        self,
        cluster: Cluster,
        settings: Settings,
        namespace: str,
        before: Callable[[Request], None] | None = None,
        after: Callable[[Request, Response], None] | None = None,
    ) -> None:
        access = from_kubeconfig(str(settings.kubeconfig or cluster.kubeconfig))
        self.wire = Wire(HttpTransport(access), namespace, before, after)
        self.resizer: Part | None = None
        self.error: BaseException | None = None
        self._settings = settings
        self._access = access
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._is_ending = False
        name = f"operator-{next(self._numbers)}"
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

    def start(self) -> Self:
        """Start, and return when its caches are complete or it has died."""
        self._thread.start()
        if not self._ready.wait(STOP_SECONDS):
            raise TimeoutError("the operator did not get ready")
        return self

    def stop(self) -> None:
        """End as on SIGTERM; raise what it died of, unless that was a Crash."""
        if self._thread.is_alive() and self.resizer is not None:
            self._loop.call_soon_threadsafe(self.resizer.stop)
        self._join()
        if self.error is not None and not isinstance(self.error, Crash):
            raise self.error

    def kill(self) -> None:
        """End as by SIGKILL: not one more request is sent."""
        self.wire.is_dead = True
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # its loop has just been closed
                self._loop.call_soon_threadsafe(self._cancel_all)
        if self._thread.ident is not None:
            self._join()

    def wait_dead(self, seconds: float = STOP_SECONDS) -> None:
        """Return when the operator has died by a Crash.

        Raises: TimeoutError, when it lives on.
        """
        self._thread.join(seconds)
        if self._thread.is_alive():
            raise TimeoutError("the operator lives on")

    @property
    def is_alive(self) -> bool:
        """Whether its process would still run."""
        return self._thread.is_alive()

    def metric(self, name: str, /, **labels: str) -> float:
        """Return the sum of a metric's samples that have these labels."""
        assert self.resizer is not None
        return total(self.resizer.metrics.render(), name, labels)

    @property
    def looks(self) -> float:
        """How often it has finished a look at a set."""
        return self.metric("rso_reconciles_total")

    @property
    def is_leader(self) -> bool:
        """Whether it is no mere standby."""
        return self.metric("rso_leader") == 1

    def _join(self) -> None:
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive():
            raise TimeoutError("the operator does not end")

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._run())
        except (Exception, Crash, asyncio.CancelledError, BaseExceptionGroup) as error:  # noqa: BLE001  told by stop
            self.error = _told(error)
        finally:
            self.wire.is_dead = True
            self._ready.set()
            self._is_ending = True
            self._loop.run_until_complete(self._end())
            self._loop.close()

    async def _run(self) -> None:
        self.resizer = self._make()
        running = asyncio.ensure_future(self.resizer.run())
        while self.resizer.missing() and not running.done():
            await asyncio.wait({running}, timeout=0.01)
        self._ready.set()
        await running

    def _make(self) -> Part:
        return Resizer(self._settings, self.wire, self.clock)

    async def _end(self) -> None:
        await end_tasks()
        await self.wire.close()
        await let_connections_close()

    def _cancel_all(self) -> None:
        if self._is_ending:
            return
        for task in asyncio.all_tasks(self._loop):
            task.cancel()


async def end_tasks() -> None:
    """Cancel all other tasks of this loop and wait for their ends, as a dying process would."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def let_connections_close() -> None:
    """Return when TLS connections have ended: some turns of the loop after their close."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + CLOSE_SECONDS
    # No public way tells which sockets a loop still has; its own wake-up socket is always there.
    sockets = loop._selector.get_map()  # type: ignore[attr-defined]  # as said above
    while len(sockets) > 1 and loop.time() < deadline:  # noqa: ASYNC110  no event tells of it
        await asyncio.sleep(0.005)


def _told(error: BaseException) -> BaseException | None:
    """Return what an operator died of; cancelled means killed."""
    if isinstance(error, asyncio.CancelledError):
        return Crash()
    if isinstance(error, BaseExceptionGroup):
        inner = error.subgroup(Crash)
        return Crash() if inner is not None else error
    return error


@contextmanager
def running(
    cluster: Cluster,
    namespace: str,
    operator_namespace: str,
    key_dir: Path | None,
    clock: Clock | None = None,
    **settings: object,
) -> Iterator[Operator]:
    """Run one operator for a namespace, without a Lease unless a setting says otherwise."""
    told = settings_for(cluster, operator_namespace, key_dir, **settings)
    operator = Operator(cluster, told, namespace)
    operator.clock = clock or operator.clock
    operator.start()
    try:
        yield operator
    finally:
        operator.stop()


def settings_for(
    cluster: Cluster, operator_namespace: str, key_dir: Path | None, **changes: object
) -> Settings:
    """Return settings of an operator in a test: no Lease, no port."""
    plain = Settings(
        kubeconfig=cluster.kubeconfig,
        operator_namespace=operator_namespace,
        leader_elect=False,
        key_dir=key_dir,
        metrics_bind=None,
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]  # any field of Settings


def make_keys(directory: Path) -> Path:
    """Return a key directory with a new key."""
    generate(directory, SystemClock().now())
    return directory
