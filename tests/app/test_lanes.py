"""Workers are shared fairly between namespaces."""

import asyncio

from rso.app.lanes import Lanes
from rso.core.world import Key


async def test_one_namespace_never_holds_every_worker() -> None:
    """Of eight workers at most six are in one namespace, and a parked set comes back."""
    added: list[Key] = []
    lanes = Lanes(8, added.append)
    release = asyncio.Event()

    async def slow(_: Key) -> float | None:
        await release.wait()
        return 7.0

    keys = [Key("slow", f"set-{number}") for number in range(7)]
    running = [asyncio.ensure_future(lanes.run(key, slow)) for key in keys]
    await asyncio.sleep(0)
    other = asyncio.ensure_future(lanes.run(Key("other", "db"), slow))
    await asyncio.sleep(0)
    parked = running[-1].done()
    release.set()
    results = await asyncio.gather(*running, other)

    assert parked
    assert [7.0] * 6 + [None, 7.0] == results
    assert [keys[-1]] == added
