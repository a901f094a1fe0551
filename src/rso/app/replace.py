"""The dangerous minute: delete the set, create it again.

    set still as saved? -> label the backup -> DELETE (orphan, uid, version) -> gone -> CREATE
    -> label superseded -> give the fields back

From DELETE to CREATE no decision is made. Should this coroutine die anywhere, the backup's label
tells the next look what to do. Whether a DELETE was ours is judged like this: a clean 404 or 409
to the only one ever sent means that somebody else was faster, and the backup is dropped at once,
so that a set which its user deletes stays deleted. If an earlier one may still be in flight (the
backup bore the label before, and not from an attempt of ours that ended before its DELETE), nobody
can tell, and in doubt the set comes back.
"""

import asyncio
import secrets

from rso.app import resources
from rso.app.answers import refusal_of
from rso.app.execute import Executor, Tools
from rso.app.gap import DeletedByUser, Gap, WaitGone
from rso.app.log import Logger
from rso.app.turn import Turns
from rso.core import successor
from rso.core.actions import Recreate, Replace
from rso.core.gate import quiet_fault, stale_references
from rso.core.names import ORPHAN, WHEN_DELETED, Phase
from rso.core.refusals import is_namespace_gone
from rso.core.successor import is_our_successor
from rso.core.world import Backup, Key, Live, Saved, World
from rso.kube.errors import (
    AlreadyExists,
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    KubeError,
    MayNotWrite,
    NotFound,
    ServerError,
    Unreachable,
)

# After that the worker is given back; the backup's label brings the set back all the same.
ABSENT_SECONDS = 40.0


class Replacer:
    """Replaces sets."""

    def __init__(
        self,
        tools: Tools,
        executor: Executor,
        turns: Turns,
        wait_gone: WaitGone,
    ) -> None:
        self._tools = tools
        self._client = tools.client
        self._executor = executor
        self._turns = turns
        self._gap = Gap(tools.client, tools.clock, wait_gone)
        # {uid of a backup: attempt} that we labelled first, or tried to, with no DELETE since.
        self._unsent: dict[str, str] = {}

    async def replace(self, world: World, step: Replace) -> None:
        """Replace a set whose backup is verified."""
        self._turns.take(world.key)
        absence: float | None = None
        try:
            absence = await self._replace(world, step)
        finally:
            self._turns.give(world.key, absence)

    async def recreate(self, world: World, step: Recreate) -> None:
        """Create an absent set from its backup."""
        backup = self._tools.view.backup(step.backup)
        saved = world.answers.backups.get(backup.uid) if backup else None
        if backup is None or not isinstance(saved, Saved):
            return
        if self._is_unsent(backup):
            await self._executor.delete_backup(world.key, backup)
            self._log(world).info("backup dropped", why="the set was deleted by its user")
            return
        self._log(world).warning("absent set is created from its backup", backup=backup.name)
        async with asyncio.timeout(ABSENT_SECONDS):
            created = await self._create(world, backup, saved)
        if created is None:
            await self._leave_to_holder(world, backup, saved)
            return
        self._tools.metrics.recreated("recovered")
        await self._complete(world, backup, saved, created)

    async def _replace(self, world: World, step: Replace) -> float | None:
        backup = self._tools.view.backup(step.backup)
        saved = world.answers.backups.get(backup.uid) if backup else None
        if backup is None or not isinstance(saved, Saved):
            return None
        live = await self._still_as_saved(world, step.uid, saved)
        if live is None:
            return None
        is_first = backup.phase is not Phase.DELETING or self._is_unsent(backup)
        attempt = secrets.token_hex(8)
        if is_first:
            self._unsent[backup.uid] = attempt
        backup = await self._executor.label_deleting(world, backup, attempt)
        self._unsent.pop(backup.uid, None)
        started = self._tools.clock.monotonic()
        if not await self._delete(world, live, backup, is_first=is_first):
            return None
        try:
            async with asyncio.timeout(ABSENT_SECONDS):
                await self._gap.gone(world.key, live.uid)
                created = await self._create(world, backup, saved)
        except DeletedByUser:
            await self._executor.delete_backup(world.key, backup)
            raise
        finally:
            absence = self._tools.clock.monotonic() - started
        self._tools.metrics.absent_for(absence)
        if created is not None:
            self._tools.metrics.recreated("done")
            await self._complete(world, backup, saved, created)
        return absence

    def _is_unsent(self, backup: Backup) -> bool:
        """Return whether no DELETE of ours can have followed the label that a backup bears.

        Its attempt tells whose label it is: the label of another would have met no conflict.
        """
        return bool(backup.attempt) and self._unsent.get(backup.uid) == backup.attempt

    async def _still_as_saved(self, world: World, uid: str, saved: Saved) -> Live | None:
        """Return the set just read, if it equals its backup and its Pods are still quiet.

        Raises: Conflict, when anything about it has changed since its Pods were found quiet, or a
        Pod has. A Pod that was made meanwhile may be too young to be orphaned (T7), and the
        controller may be slow to write the status that would change the set's version.
        """
        live = await self._tools.gatherer.questions.live(world.key)
        if live.uid != uid or "deletionTimestamp" in live.object["metadata"]:
            return None
        seen = world.statefulset.metadata.resource_version if world.statefulset else ""
        if live.resource_version != seen:
            raise Conflict(409, "Conflict", "the set has changed since its Pods were looked at")
        await self._still_quiet(world)
        return live if successor.is_same(saved.object, live.object) else None

    async def _still_quiet(self, world: World) -> None:
        if world.statefulset is None:
            raise NotFound(404, "NotFound", "the set has gone")
        questions = self._tools.gatherer.questions
        fault = quiet_fault(
            world.statefulset, await questions.pods(world.key, world.statefulset)
        ) or await self._reference_fault(world)
        if fault:
            raise Conflict(409, "Conflict", fault)

    async def _reference_fault(self, world: World) -> str:
        """Return which claim the collector could take with the set, whatever the cache shows."""
        if world.statefulset is None or WHEN_DELETED not in world.statefulset.metadata.annotations:
            return ""
        listing = await self._client.list(resources.CLAIMS, world.key.namespace)
        stale = stale_references(listing.items, world.key.name)
        return f"claim {stale.claim} still refers to the set" if stale else ""

    async def _delete(self, world: World, live: Live, backup: Backup, *, is_first: bool) -> bool:
        """Return whether the set is going because of us, or may be."""
        self._log(world).info("set is deleted, its Pods stay", backup=backup.name)
        try:
            await self._client.delete(
                resources.STATEFULSETS.resource,
                *world.key,
                uid=live.uid,
                resource_version=live.resource_version,
                propagation="Orphan",
            )
        except MayNotWrite:
            raise
        except KubeError as error:
            if is_first and _is_clear(error):
                await self._executor.delete_backup(world.key, backup)
            elif await self._is_going(world, live.uid):
                return True
            self._refused(world.key, error)
            raise
        return True

    def _refused(self, key: Key, error: KubeError) -> None:
        """Keep a refusal that the dry delete did not meet: the next look tells it."""
        if isinstance(error, (BadRequest, Forbidden, Invalid, ServerError)):
            self._tools.gatherer.learn_deletion(key, refusal_of(error))
            raise Conflict(409, "Conflict", "the delete was refused") from error

    async def _is_going(self, world: World, uid: str) -> bool:
        """Look whether a DELETE whose answer is lost has arrived."""
        try:
            live = await self._tools.gatherer.questions.live(world.key)
        except NotFound:
            return True
        metadata = live.object["metadata"]
        return live.uid == uid and ORPHAN in metadata.get("finalizers", [])

    async def _complete(self, world: World, backup: Backup, saved: Saved, created: Live) -> None:
        self._tools.expectations.expect_set(world.key, created.resource_version)
        self._log(world).info("set is created again", successor=created.uid)
        # strictly before the managers are given back: until then ours proves whose set it is
        await self._executor.label_superseded(world, backup, created.uid)
        await self._executor.give_back(world.key, created.uid, saved)

    async def _create(self, world: World, backup: Backup, saved: Saved) -> Live | None:
        """Return the new set; tried until the caller's time-out, looking first each time.

        None, when another set holds the name or the namespace goes: the next look tells what to
        do.
        """
        body = successor.successor(saved.object, saved.sizes)
        async for _ in self._gap.looks():
            try:
                kind = resources.WHOLE_STATEFULSETS
                return Live(await self._client.create(kind, world.key.namespace, body))
            except AlreadyExists:
                holder = await self._holder(world.key)
                if holder is not None:
                    return holder if _is_ours(saved, holder, backup.statefulset_uid) else None
            except MayNotWrite:
                raise
            except KubeError as error:
                if isinstance(error, ApiError) and is_namespace_gone(refusal_of(error)):
                    self._tools.gatherer.learn_namespace_gone(world.key)
                    return None
                self._log(world).warning("set cannot be created yet", error=type(error).__name__)
        return None

    async def _leave_to_holder(self, world: World, backup: Backup, saved: Saved) -> None:
        """Give up the name to another set that holds it, which no cache shows.

        Raises: Conflict, when that is the set itself: its DELETE has not arrived.
        """
        holder = await self._holder(world.key)
        if holder is None or _is_ours(saved, holder, backup.statefulset_uid):
            return
        if holder.uid == backup.statefulset_uid:
            raise Conflict(409, "Conflict", "the set lives, but cannot be read")
        await self._executor.give_up_name(world, backup)

    async def _holder(self, key: Key) -> Live | None:
        """Return the set that holds the name; None while the old one is still going."""
        try:
            live = await self._tools.gatherer.questions.live(key)
        except NotFound:
            return None
        return None if "deletionTimestamp" in live.object["metadata"] else live

    def _log(self, world: World) -> Logger:
        return self._tools.notices.about(world)


def _is_clear(error: KubeError) -> bool:
    """Return whether a request that failed has surely done nothing."""
    if isinstance(error, Unreachable):
        return not error.sent
    return isinstance(error, ApiError) and not isinstance(error, ServerError)


def _is_ours(saved: Saved, holder: Live, old_uid: str) -> bool:
    """Return whether the set that holds the name is the one that we created, its answer lost."""
    return holder.uid != old_uid and is_our_successor(saved.object, holder.object, saved.sizes)
