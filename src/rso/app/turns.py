"""Lets others run while many things are gone through: the Lease must be renewed meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import TypeVar

T = TypeVar("T")

ITEMS_IN_A_TURN = 20


async def in_turns(items: Iterator[T]) -> AsyncIterator[T]:
    """Yield all items; other tasks run now and then."""
    for number, item in enumerate(items):
        if number % ITEMS_IN_A_TURN == 0:
            await asyncio.sleep(0)
        yield item
