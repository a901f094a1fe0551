"""Does one step: one changing request, but for `Replace`, which `replace.py` does.

A conflict is normal: the step is given up and the set is looked at again. What was written is
expected of the caches before the next plan.
"""

import contextlib
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from rso.app import resources
from rso.app.answers import refusal_of
from rso.app.backup import config_map
from rso.app.expect import Expectations
from rso.app.gather import Gatherer
from rso.app.metrics import Metrics
from rso.app.notice import Notices
from rso.app.seal import Sealer
from rso.app.view import View
from rso.core import bodies, managers
from rso.core.actions import (
    DropBackup,
    EvictPod,
    GrowClaim,
    RenewGeneration,
    RestoreManagers,
    RestorePolicy,
    SaveBackup,
    SetRetain,
    SetStatus,
    Supersede,
    Unreference,
)
from rso.core.names import Note, Phase, Reason
from rso.core.quantity import read_bytes
from rso.core.world import Backup, Key, Live, Saved, Unreadable, World
from rso.kube.client import Client
from rso.kube.clock import Clock
from rso.kube.errors import BadRequest, Conflict, Forbidden, Invalid, NotFound, TooManyRequests

_MERGE_ATTEMPTS = 5  # the StatefulSet controller writes status while the set is adopted


class NotVerified(Exception):
    """A backup could not be read back as it was written; nothing was deleted."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a step works with."""

    client: Client
    view: View
    gatherer: Gatherer
    sealer: Sealer
    expectations: Expectations
    notices: Notices
    metrics: Metrics
    clock: Clock


class Executor:
    """Does the steps that are one request each."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._client = tools.client
        self._expectations = tools.expectations
        self._namespace = tools.sealer.namespace

    async def set_status(self, world: World, step: SetStatus) -> None:
        """Write the status annotation and say it as an Event."""
        await self._write_status(world, step.text)
        self._tools.notices.status(world, step)
        self._tools.notices.about(world).info("status changes", status=step.text)

    async def _write_status(self, world: World, text: str) -> None:
        """Write the status annotation, saying nothing; an empty text removes it."""
        if world.statefulset is not None:
            body = bodies.set_status(SetStatus(text), world.statefulset.metadata.uid)
            await self._patch_set(world.key, body)

    async def grow_claim(self, world: World, step: GrowClaim) -> None:
        """Raise the request of a claim, or lower one that is infeasible.

        Raises: Conflict, when it is refused although the dry run was not: the refusal is kept, and
        the next look tells it.
        """
        namespace = world.key.namespace
        body = bodies.grow_claim(step, world.now)
        try:
            claim = await self._client.patch(resources.CLAIMS, namespace, step.claim, body)
        except (BadRequest, Forbidden, Invalid) as error:
            self._tools.gatherer.learn_claim(world, step, refusal_of(error))
            raise Conflict(409, "Conflict", f"claim {step.claim} was refused") from error
        self._expectations.expect_claim(world.key, step.claim, claim.metadata.resource_version)
        added = read_bytes(step.new) - read_bytes(step.old)
        log = self._tools.notices.about(world, claim=step.claim, old=step.old, new=step.new)
        if added > 0:
            self._tools.metrics.claim_grown(added)
            log.info("claim grows")
        else:
            log.info("request of claim is lowered")

    async def evict_pod(self, world: World, step: EvictPod) -> None:
        """Evict a Pod of exactly this uid; one that is gone already is as good.

        Raises: Conflict, when it is refused although the dry run was not: the refusal is kept, and
        the next look tells it.
        """
        kind, namespace = resources.EVICTIONS, world.key.namespace
        self._tools.gatherer.forget_pods(world.key)
        try:
            await self._client.evict(kind, namespace, step.pod, uid=step.uid)
        except (BadRequest, Forbidden, Invalid, TooManyRequests) as error:
            self._tools.gatherer.learn_eviction(world.key, step.uid, refusal_of(error))
            raise Conflict(409, "Conflict", f"the eviction of Pod {step.pod} is refused") from error
        self._tools.metrics.pod_evicted()
        sentence = f"Pod {step.pod} is evicted, so that its filesystem grows when it starts again"
        self._tools.notices.note(world, Note.POD_EVICTED, sentence)
        self._tools.notices.about(world, pod=step.pod).info("pod is evicted")

    async def set_retain(self, world: World, step: SetRetain) -> None:
        """Keep the claims while the set is away."""
        await self._patch_set(world.key, bodies.set_retain(step))

    async def renew_generation(self, world: World, step: RenewGeneration) -> None:
        """Change the retention policy and change it back: the generation rises by two."""
        live = await self._patch_set(world.key, bodies.set_retain(SetRetain(step.resource_version)))
        back = RestorePolicy("Delete", live.resource_version)
        await self.restore_policy(world, back)

    async def restore_policy(self, world: World, step: RestorePolicy) -> None:
        """Put the retention policy back, and give the field away again (kubernetes.md M2)."""
        live = await self._patch_set(world.key, bodies.restore_policy(step))
        entries = managers.trimmed(live.object["metadata"].get("managedFields", []))
        await self._patch_set(world.key, bodies.policy_restored(entries, live.resource_version))

    async def unreference(self, world: World, step: Unreference) -> None:
        """Remove a claim's references to sets, at the version that was looked at."""
        namespace = world.key.namespace
        live = await self._client.get(resources.WHOLE_CLAIMS, namespace, step.claim)
        if live["metadata"]["resourceVersion"] != step.resource_version:
            raise Conflict(409, "Conflict", f"claim {step.claim} has changed")
        body = bodies.owner_references(live, step.uids)
        claim = await self._client.patch(resources.CLAIMS, namespace, step.claim, body)
        self._expectations.expect_claim(world.key, step.claim, claim.metadata.resource_version)
        if any(each.phase is Phase.SUPERSEDED for each in world.backups):
            sentence = f"claim {step.claim} referred to the set that was replaced; it does no more"
            self._tools.notices.note(world, Note.STALE_REFERENCE, sentence)

    async def save_backup(self, world: World, step: SaveBackup) -> None:
        """Seal, store, read back, compare (safety O6).

        Raises: NotVerified; AlreadyExists, when the cache does not show the backup yet.
        """
        proof = world.proof(step.sizes)
        if proof is None:
            return
        sealed = self._tools.sealer.seal(world, proof.live, step.sizes)
        body = config_map(sealed.header, sealed.envelope)
        made = await self._client.create(resources.WHOLE_BACKUPS, self._namespace, body)
        stored = await self._client.get(
            resources.WHOLE_BACKUPS, self._namespace, sealed.header.backup_name
        )
        uid = made["metadata"]["uid"]
        found: Saved | Unreadable = self._tools.gatherer.questions.open(stored)
        if stored["metadata"]["uid"] != uid or found != sealed.saved:
            raise NotVerified(f"backup {sealed.header.backup_name} is not what was written")
        self._tools.gatherer.learn_backup(world.key, uid, found)
        self._expect_backup(world.key, stored)
        self._tools.notices.about(world).info("backup saved", backup=sealed.header.backup_name)

    async def label_deleting(self, world: World, backup: Backup, attempt: str) -> Backup:
        """Say that the set may be absent from here on; return the backup as it is then."""
        body = bodies.backup_deleting(backup.resource_version, attempt)
        return await self._label(world, backup, body)

    async def label_superseded(self, world: World, backup: Backup, successor: str) -> Backup:
        """Say that nothing is created from a backup any more; return it as it is then."""
        body = bodies.backup_superseded(backup.resource_version, world.now, successor)
        return await self._label(world, backup, body)

    async def _label(self, world: World, backup: Backup, body: object) -> Backup:
        namespace = self._namespace
        stored = await self._client.patch(resources.WHOLE_BACKUPS, namespace, backup.name, body)
        self._expect_backup(world.key, stored)
        return replace(backup, resource_version=str(stored["metadata"]["resourceVersion"]))

    async def supersede(self, world: World, step: Supersede) -> None:
        """Label a backup as no longer to be created from."""
        backup = self._backup(step.backup)
        if step.successor:
            await self.label_superseded(world, backup, step.successor)
        else:
            await self.give_up_name(world, backup)

    async def give_up_name(self, world: World, backup: Backup) -> None:
        """Leave the name to the set that somebody else made, and tell it.

        Raises: Conflict, when the backup was labelled since: another instance may have found that
        the set is ours, and given its fields back.
        """
        await self.label_superseded(world, backup, "")
        sentence = (
            "the set's name was taken by somebody else while it was away; the set that lives "
            f"is left as it is, and backup {backup.name} is kept for seven days"
        )
        self._tools.metrics.recreated("name_taken")
        self._tools.notices.note(world, Reason.NAME_TAKEN, sentence)
        self._tools.notices.about(world).warning("name taken", backup=backup.name)

    async def restore_managers(self, world: World, step: RestoreManagers) -> None:
        """Give the fields of a set back to the managers of its backup (kubernetes.md M9)."""
        backup = self._backup(step.backup)
        saved = world.answers.backups.get(backup.uid)
        if isinstance(saved, Saved):
            await self.give_back(world.key, step.uid, saved)

    async def give_back(self, key: Key, uid: str, saved: Saved) -> None:
        """Restore the managers of a set of this uid; a 409 is read again and merged."""
        for _ in range(_MERGE_ATTEMPTS):
            live = await self._tools.gatherer.questions.live(key)
            if live.uid != uid:
                return
            before, now = (
                each["metadata"].get("managedFields", []) for each in (saved.object, live.object)
            )
            body = bodies.managed_fields(managers.restored(before, now), live.resource_version)
            try:
                await self._patch_set(key, body)
            except Conflict:
                continue
            return

    async def drop_backup(self, world: World, step: DropBackup) -> None:
        """Delete a backup of exactly this uid; one that is gone already is as good."""
        backup = self._backup(step.backup)
        await self._let_deletes_miss(world, backup)
        await self.delete_backup(world.key, backup)
        if step.note is not Note.BACKUP_DROPPED:
            self._tools.notices.note(world, step.note, step.sentence)
        if step.note is Note.PODS_CHANGED:
            self._tools.metrics.pods_changed(step.sentence.count(",") + 1)
        log = self._tools.notices.about(world, backup=step.backup)
        log.info("backup dropped", why=step.sentence)

    async def _let_deletes_miss(self, world: World, backup: Backup) -> None:
        """Change the set whose backup says that it may be absent (safety, class I).

        A DELETE of ours whose answer was lost may still be on its way. It carries the version that
        was compared, so it misses a set that has changed. The next look writes the status anew.
        """
        lives = world.statefulset is not None and not world.statefulset.metadata.is_deleting
        if lives and backup.phase is Phase.DELETING:
            text = "" if world.status else "Growing"
            await self._write_status(world, text)

    async def delete_backup(self, key: Key, backup: Backup) -> None:
        """Delete a backup's ConfigMap, exactly as it was looked at.

        Raises: Conflict, when somebody has labelled it since.
        """
        with contextlib.suppress(NotFound):
            await self._client.delete(
                resources.WHOLE_BACKUPS.resource,
                self._namespace,
                backup.name,
                uid=backup.uid,
                resource_version=backup.resource_version,
            )
        self._expectations.expect_no_backup(key, backup)

    def _backup(self, name: str) -> Backup:
        backup = self._tools.view.backup(name)
        if backup is None:
            raise NotFound(404, "NotFound", f"backup {name} has gone")
        return backup

    async def _patch_set(self, key: Key, body: object) -> Live:
        live = Live(await self._client.patch(resources.WHOLE_STATEFULSETS, *key, body))
        self._expectations.expect_set(key, live.resource_version)
        return live

    def _expect_backup(self, key: Key, stored: dict[str, Any]) -> None:
        metadata = stored["metadata"]
        self._expectations.expect_backup(key, metadata["name"], metadata["resourceVersion"])
