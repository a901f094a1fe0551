"""Workers that take keys from a queue, one reconcile for each key at a time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar

from rso.kube.queue import QueueShutDown, WorkQueue

K = TypeVar("K", bound=Hashable)

log = logging.getLogger(__name__)


async def run_workers(
    queue: WorkQueue[K],
    reconcile: Callable[[K], Awaitable[float | None]],
    count: int,
    timeout_seconds: float,
    on_error: Callable[[K, Exception], None],
) -> None:
    """Reconcile keys until the queue is shut down and the running reconciles have ended.

    ``reconcile`` returns seconds until the next look, or None for none; both forget earlier
    failures. One that raises, or takes longer than ``timeout_seconds``, is reported to
    ``on_error`` and tried again with the key's growing delay. Cancel this call to end the running
    reconciles too.
    """
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(_work(queue, reconcile, timeout_seconds, on_error))


async def _work(
    queue: WorkQueue[K],
    reconcile: Callable[[K], Awaitable[float | None]],
    timeout_seconds: float,
    on_error: Callable[[K, Exception], None],
) -> None:
    while True:
        try:
            key = await queue.get()
        except QueueShutDown:
            return
        try:
            seconds = await _limited(reconcile(key), timeout_seconds)
        except Exception as error:  # noqa: BLE001  one key's failure must not end its worker
            _report(on_error, key, error)
            queue.retry(key)
        else:
            queue.forget(key)
            if seconds is not None:
                queue.add_after(key, seconds)
        finally:
            queue.done(key)


async def _limited(running: Awaitable[float | None], timeout_seconds: float) -> float | None:
    try:
        async with asyncio.timeout(timeout_seconds):
            return await running
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # Nobody cancelled this worker: something that the reconcile awaited was cancelled. Passed
        # on, it would end the worker without a word.
        raise RuntimeError("what the reconcile waited for was cancelled") from error


def _report(on_error: Callable[[K, Exception], None], key: K, error: Exception) -> None:
    try:
        on_error(key, error)
    except Exception:
        log.exception("the report of a failure failed")
