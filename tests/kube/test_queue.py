"""The rules of the work queue."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rso.kube.queue import QueueShutDown, WorkQueue
from tests.kube.clock import FakeClock, settle


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
    assert waits == sorted(waits)
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

    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(end) for end in found] == [QueueShutDown] * 3
    with pytest.raises(QueueShutDown):
        await queue.get()


STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "get", "done"]), st.sampled_from("abc")), max_size=60
)


@settings(max_examples=200)
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
