"""The rules of the work queue and of its workers."""

import asyncio
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rso.kube.queue import QueueShutDown, WorkQueue
from rso.kube.workers import run_workers
from tests.kube.clock import FakeClock, settle, until

Errors = list[tuple[str, Exception]]


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock at zero."""
    return FakeClock()


@pytest.fixture
def queue(clock: FakeClock) -> WorkQueue[str]:
    """Return an empty queue."""
    return WorkQueue(clock)


async def test_at_most_once(queue: WorkQueue[str]) -> None:
    """A key added several times is handed out once."""
    for key in ("a", "b", "a"):
        queue.add(key)

    assert [await queue.get(), await queue.get()] == ["a", "b"]
    assert len(queue) == 0


async def test_dirty_while_held(queue: WorkQueue[str]) -> None:
    """A key added while a worker holds it is handed out once more, after that one is done."""
    queue.add("a")
    await queue.get()
    queue.add("a")
    queue.add("a")
    queue.add("b")
    other = await queue.get()
    queue.done("a")

    assert other == "b"
    assert await queue.get() == "a"
    assert len(queue) == 0


async def test_add_after(queue: WorkQueue[str], clock: FakeClock) -> None:
    """Of several later times the earliest counts, once."""
    queue.add_after("a", 10)
    queue.add_after("a", 5)
    queue.add_after("b", 1)
    queue.add_after("a", 7)
    lengths = []
    for _ in range(3):
        await clock.advance(4)
        lengths.append(len(queue))

    assert lengths == [1, 2, 2]


async def test_add_after_zero(queue: WorkQueue[str]) -> None:
    """No delay is now."""
    queue.add_after("a", 0)

    assert await queue.get() == "a"


async def test_retry_grows(queue: WorkQueue[str], clock: FakeClock) -> None:
    """Each retry of a key waits longer, from 0.5 to 300 seconds; forgetting starts again."""
    waits = []
    for _ in range(14):
        before = clock.monotonic()
        queue.retry("a")
        while not len(queue):
            await clock.advance(0.25)
        waits.append(clock.monotonic() - before)
        queue.done(await queue.get())
    attempts = queue.attempts("a")
    queue.forget("a")

    assert 0.5 <= waits[0] <= 0.75
    assert sorted(waits) == waits
    assert waits[-1] == pytest.approx(300, abs=0.5)
    assert (attempts, queue.attempts("a")) == (14, 0)


async def test_shut_down(queue: WorkQueue[str], clock: FakeClock) -> None:
    """After a shut-down every waiting worker is told so and nothing is handed out."""
    waiting = [asyncio.ensure_future(queue.get()) for _ in range(3)]
    await settle()
    queue.add_after("later", 1)
    queue.shut_down()
    queue.add("a")
    await clock.advance(2)

    assert [QueueShutDown] * 3 == [
        type(found) for found in await asyncio.gather(*waiting, return_exceptions=True)
    ]
    with pytest.raises(QueueShutDown):
        await queue.get()


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

    assert {ZeroDivisionError} == {type(error) for _, error in errors}


STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "get", "done"]), st.sampled_from("abc")), max_size=60
)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_laws(steps: list[tuple[str, str]]) -> None:
    """Whatever is added, taken and let go: no key twice, and no addition lost."""
    asyncio.run(_obeys(steps))


async def _obeys(steps: list[tuple[str, str]]) -> None:
    queue: WorkQueue[str] = WorkQueue(FakeClock())
    waiting: set[str] = set()
    held: list[str] = []
    for step, key in steps:
        if step == "add":
            queue.add(key)
            waiting.add(key)
        elif step == "get" and waiting - set(held):
            taken = await queue.get()
            assert taken in waiting
            assert taken not in held
            held.append(taken)
            waiting.discard(taken)
        elif step == "done" and held:
            queue.done(held.pop(0))
        assert len(waiting - set(held)) == len(queue)


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

    assert [("a", ZeroDivisionError), ("a", RuntimeError)] == [
        (key, type(error)) for key, error in errors
    ]
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

    assert TimeoutError is type(errors[0][1])
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
