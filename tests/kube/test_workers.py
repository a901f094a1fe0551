"""Workers take every key, once at a time, and survive what reconciles do."""

import asyncio
import random
from collections import Counter

from rso.kube.queue import WorkQueue
from rso.kube.workers import run_workers
from tests.kube.clock import FakeClock, settle, until

Errors = list[tuple[str, Exception]]


async def test_converges_under_load(queue: WorkQueue[str], clock: FakeClock) -> None:
    """20,000 adds on 200 keys, 8 workers and 20 % failures: each key's last state is seen.

    Never two workers hold one key.
    """
    chance = random.Random(20261124)  # noqa: S311  a seed, so that a failure can be repeated
    wanted: Counter[str] = Counter()
    seen: dict[str, int] = {}
    held: set[str] = set()

    async def reconcile(key: str) -> None:
        assert key not in held
        held.add(key)
        now = wanted[key]
        await asyncio.sleep(0)
        held.discard(key)
        if chance.random() < 0.2:
            raise ZeroDivisionError
        seen[key] = now

    errors: Errors = []
    workers = asyncio.ensure_future(
        run_workers(queue, reconcile, 8, 60, lambda key, error: errors.append((key, error)))
    )
    for number in range(20_000):
        key = str(chance.randrange(200))
        wanted[key] += 1
        queue.add(key)
        if number % 10 == 0:
            await asyncio.sleep(0)
    await until(lambda: seen == dict(wanted), clock)
    queue.shut_down()
    await workers

    assert {type(error) for _, error in errors} == {ZeroDivisionError}


async def test_result_is_a_delay(queue: WorkQueue[str], clock: FakeClock) -> None:
    """A reconcile that returns seconds is called again after them; None means not again."""
    results = iter([7.0, None])
    times: list[float] = []

    async def reconcile(_key: str) -> float | None:
        times.append(clock.monotonic())
        return next(results)

    queue.add("a")
    workers = asyncio.ensure_future(run_workers(queue, reconcile, 2, 60, _ignore))
    await clock.advance(100)
    queue.shut_down()
    await workers

    assert times == [0, 7]


async def test_failures_are_reported_and_retried(queue: WorkQueue[str], clock: FakeClock) -> None:
    """A failure is reported with its key and tried again; success forgets it."""
    outcomes = iter([ZeroDivisionError(), asyncio.CancelledError(), None])
    errors: Errors = []

    async def reconcile(_key: str) -> None:
        outcome = next(outcomes)
        if outcome:
            raise outcome

    queue.add("a")
    workers = asyncio.ensure_future(
        run_workers(queue, reconcile, 1, 60, lambda key, error: errors.append((key, error)))
    )
    await clock.advance(10)
    queue.shut_down()
    await workers

    found = [(key, type(error)) for key, error in errors]
    assert found == [("a", ZeroDivisionError), ("a", RuntimeError)]
    assert queue.attempts("a") == 0


async def test_slow_reconcile_is_cut(queue: WorkQueue[str]) -> None:
    """A reconcile that takes too long is cancelled, reported, and tried again."""
    errors: Errors = []

    async def reconcile(_key: str) -> None:
        await asyncio.Event().wait()

    queue.add("a")
    workers = asyncio.ensure_future(
        run_workers(queue, reconcile, 1, 0.01, lambda key, error: errors.append((key, error)))
    )
    await until(lambda: errors)
    queue.shut_down()
    await workers

    assert type(errors[0][1]) is TimeoutError
    assert queue.attempts("a") == 1


async def test_failing_report(queue: WorkQueue[str], clock: FakeClock) -> None:
    """A report that fails does not end the worker."""
    calls: list[str] = []

    async def reconcile(key: str) -> None:
        calls.append(key)
        raise ZeroDivisionError

    def report(_key: str, _error: Exception) -> None:
        raise RuntimeError("the report's fault")

    queue.add("a")
    workers = asyncio.ensure_future(run_workers(queue, reconcile, 1, 60, report))
    await clock.advance(2)
    queue.shut_down()
    await workers

    assert calls[:2] == ["a", "a"]


async def test_stop_lets_reconciles_end(queue: WorkQueue[str]) -> None:
    """A shut-down lets the running reconcile end and begins no other."""
    begun: list[str] = []
    go_on = asyncio.Event()

    async def reconcile(key: str) -> None:
        begun.append(key)
        await go_on.wait()

    queue.add("a")
    queue.add("b")
    workers = asyncio.ensure_future(run_workers(queue, reconcile, 1, 60, _ignore))
    await settle()
    queue.shut_down()
    await settle()
    still = not workers.done()
    go_on.set()
    await workers

    assert still
    assert begun == ["a"]


async def test_cancel_ends_reconciles(queue: WorkQueue[str]) -> None:
    """Cancelling the workers cancels the running reconciles and is not swallowed."""
    ended: list[str] = []

    async def reconcile(key: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(key)

    queue.add("a")
    workers = asyncio.ensure_future(run_workers(queue, reconcile, 1, 60, _ignore))
    await settle()
    workers.cancel()
    await asyncio.gather(workers, return_exceptions=True)

    assert workers.cancelled()
    assert ended == ["a"]


def _ignore(_key: str, _error: Exception) -> None:
    pass
