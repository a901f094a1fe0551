"""Brings an absent set back and finishes its recreate, without an operator.

The resizer's own reconciler does it, on a view that is read anew before each look. It is stopped
as soon as no backup demands anything more: what the set wishes besides is the operator's work.
"""

import asyncio
from collections.abc import Callable

from rso.app.assembly import make_reconciler
from rso.app.execute import NotVerified, Tools
from rso.app.live import LiveView
from rso.app.patience import Patience
from rso.app.repeats import Repeats
from rso.app.turn import Turns
from rso.core.actions import AskBackup, AskWitness, Blocked
from rso.core.names import Phase
from rso.core.recovery import recover
from rso.core.world import Backup, Key, World
from rso.kube.errors import Conflict, NotFound, ServerError, Unreachable

LOOK_SECONDS = 0.5  # between looks at something that others must do


class Refused(Exception):
    """The set cannot be brought back as things are; the text says why."""


def is_demanded(world: World) -> bool:
    """Return whether a backup says that a recreate was begun and not finished.

    A backup that was never labelled is only a copy: its set was deleted by its user.
    """
    return any(_demands(world, backup) for backup in world.backups)


def _demands(world: World, backup: Backup) -> bool:
    statefulset = world.statefulset
    if backup.fault:
        return True
    if backup.phase is Phase.DELETING:
        is_same = statefulset and statefulset.metadata.uid == backup.statefulset_uid
        return statefulset is None or not is_same or statefulset.metadata.is_deleting
    return statefulset is not None and backup.successor == statefulset.metadata.uid


class Resume:
    """Finishes what a backup of one set demands."""

    def __init__(self, tools: Tools, view: LiveView, say: Callable[[str], None]) -> None:
        self._view = view
        self._gatherer = tools.gatherer
        self._clock = tools.clock
        self._say = say
        turns = Turns(self._clock, 1, lambda _key, _seconds: None)
        patience, repeats = Patience(self._clock), Repeats(self._clock)
        self._reconciler = make_reconciler(tools, turns, patience, repeats, _never)

    async def look(self, key: Key) -> World:
        """Return the set and its backups, read just now."""
        await self._view.read_set(key)
        return self._gatherer.world(key, has_turn=True)

    async def run(self, key: Key) -> World:
        """Return the world in which no backup demands anything.

        A server that is away is waited for: limit the time.
        Raises: Refused; Forbidden and other refusals of the API server.
        """
        while True:
            try:
                world = await self.look(key)
                if not is_demanded(world):
                    return world
                await self._open_backup(world)
                seconds = await self._reconciler.reconcile(key)
            except (Conflict, NotFound):
                seconds = LOOK_SECONDS
            except (ServerError, Unreachable, TimeoutError, NotVerified) as fault:
                self._say(f"will try again: {type(fault).__name__}: {fault}")
                seconds = LOOK_SECONDS
            await self._clock.sleep(min(seconds or 0.0, LOOK_SECONDS))

    async def _open_backup(self, world: World) -> None:
        """Read what the backup holds; the reconciler would wait for a better key, for ever.

        Raises: Refused, when nobody can open it or trust it; NotFound, when it is gone meanwhile.
        """
        demand = recover(world)
        while isinstance(demand, (AskBackup, AskWitness)):
            await self._gatherer.ask(world, demand)
            world = self._gatherer.world(world.key, has_turn=True)
            demand = recover(world)
        if isinstance(demand, Blocked):
            raise Refused(demand.sentence)


async def _never(_key: Key, _uid: str) -> None:
    """Wait for ever: without a watch, the poll of `Replacer` sees that a set is gone."""
    await asyncio.Event().wait()
