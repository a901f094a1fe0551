"""Answers the questions of `plan`: what no cache holds, read or asked dry just now."""

import asyncio
from typing import Any

import msgspec

from rso.app import resources
from rso.app.backup import BackupUnreadable, TooLarge, envelope_of, header_of, open_
from rso.app.seal import Sealer
from rso.app.view import View
from rso.core import bodies, successor
from rso.core.actions import AskBackup, AskEviction, AskGrowth, AskWitness
from rso.core.model import Claim, Selector, StatefulSet, StorageClass, decode_hook
from rso.core.quantity import read_bytes
from rso.core.world import (
    ClaimAnswer,
    Growth,
    Key,
    Live,
    Pods,
    Proof,
    Refusal,
    Saved,
    Unreadable,
    World,
)
from rso.kube.client import Client
from rso.kube.clock import Clock
from rso.kube.errors import (
    AlreadyExists,
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    ServerError,
    TooManyRequests,
)

CLAIMS_AT_ONCE = 8  # each is two requests: a set of 100 claims must not open 200 connections


class Questions:
    """Asks the API server on behalf of one decision. It changes nothing."""

    def __init__(self, client: Client, view: View, sealer: Sealer, clock: Clock) -> None:
        self._client = client
        self._view = view
        self._sealer = sealer
        self._clock = clock

    async def growth(self, world: World, question: AskGrowth) -> Growth:
        """Return whether claims may grow, how large their volumes are, classes and quotas.

        Raises: Conflict, when a claim has changed meanwhile; look again.
        """
        namespace = world.key.namespace
        claims = [self._view.claim(namespace, name) for name in question.sizes]
        found = [claim for claim in claims if claim is not None]
        few = asyncio.Semaphore(CLAIMS_AT_ONCE)  # of this set: one that hangs delays no other
        answers, classes, quotas = await asyncio.gather(
            asyncio.gather(*(self._claim(world, claim, question, few) for claim in found)),
            asyncio.gather(*(self._class(name) for name in question.classes)),
            self._client.list(resources.QUOTAS, namespace),
        )
        asked = {claim.metadata.name: answer for claim, answer in zip(found, answers, strict=True)}
        return Growth(
            claims={**world.answers.growth.claims, **asked},
            classes=dict(zip(question.classes, classes, strict=True)),
            quotas=quotas.items,
        )

    async def pods(self, key: Key, statefulset: StatefulSet) -> Pods:
        """Return the Pods that the selector of the set finds."""
        labels = selector_text(statefulset.spec.selector)
        listing = await self._client.list(resources.PODS, key.namespace, labels)
        answered_at = self._clock.now()
        version = statefulset.metadata.resource_version
        return Pods(version, answered_at, listing.date or answered_at, listing.items)

    async def live(self, key: Key) -> Live:
        """Return the whole set.

        Raises: NotFound.
        """
        return Live(await self._client.get(resources.WHOLE_STATEFULSETS, *key))

    async def proof(self, world: World, sizes: dict[str, str]) -> Proof:
        """Return whether the recreate would be accepted; the set lives while this is asked.

        Raises: NotFound, Conflict: the set has gone meanwhile; look again.
        """
        live = await self.live(world.key)
        body = successor.successor(successor.saved_form(live.object), sizes)
        same_name, probe, witness, deletion = await asyncio.gather(
            self._same_name(world.key, body),
            self._probe(world.key, successor.probe(live.object, sizes)),
            self._witness(world.key, live),
            self._dry_delete(world.key, live),
        )
        sealed = self._sealed_bytes(world, live, sizes)
        return Proof(live, sizes, witness, same_name, probe, sealed, deletion)

    async def eviction(self, key: Key, question: AskEviction) -> Refusal | None:
        """Return the refusal that evicting a Pod would meet: a budget's, or a missing right.

        Raises: NotFound, Conflict: another Pod has the name; look again.
        """
        pod, uid = question.pod, question.uid
        try:
            await self._client.evict(resources.EVICTIONS, key.namespace, pod, uid=uid, dry_run=True)
        except (BadRequest, Forbidden, Invalid, TooManyRequests) as error:
            return refusal_of(error)
        except ServerError as error:
            if "PodDisruptionBudget" in error.message:  # a Pod may have one, and this has two
                return refusal_of(error)
            raise
        return None

    async def backup(self, question: AskBackup) -> tuple[str, Saved | Unreadable]:
        """Return (uid of the ConfigMap, what is in the backup).

        Raises: NotFound, when it is gone; look again.
        """
        namespace = self._sealer.namespace
        body = await self._client.get(resources.WHOLE_BACKUPS, namespace, question.name)
        return str(body["metadata"]["uid"]), self.open(body)

    def open(self, body: dict[str, Any]) -> Saved | Unreadable:
        """Return what a backup holds, or why nobody can tell."""
        name = body["metadata"]["name"]
        keys = self._sealer.keys_for_opening()
        if keys is None:
            return Unreadable(
                f"backup {name} cannot be opened without its key; put the key "
                "file back, then it goes on by itself"
            )
        try:
            header = header_of(name, body.get("data") or {})
            content = open_(keys, header, envelope_of(name, body.get("binaryData") or {}))
            return msgspec.convert(content, Saved)
        except (BackupUnreadable, msgspec.ValidationError) as fault:
            return Unreadable(str(fault))

    async def _claim(
        self, world: World, claim: Claim, question: AskGrowth, few: asyncio.Semaphore
    ) -> ClaimAnswer:
        size = question.sizes[claim.metadata.name]
        async with few:
            volume, refusal = await asyncio.gather(
                self._volume_bytes(world, claim), self._dry_growth(claim, size)
            )
        return ClaimAnswer(claim.metadata.resource_version, size, volume, refusal)

    async def _volume_bytes(self, world: World, claim: Claim) -> int | None:
        if not world.bounds.reads_volumes or not claim.spec.volume_name:
            return None
        try:
            volume = await self._client.get(resources.VOLUMES, None, claim.spec.volume_name)
        except NotFound:
            return None
        return read_bytes(volume.capacity)

    async def _dry_growth(self, claim: Claim, size: str) -> Refusal | None:
        metadata = claim.metadata
        body = bodies.dry_growth(metadata.resource_version, size)
        try:
            await self._client.patch(
                resources.CLAIMS, metadata.namespace, metadata.name, body, dry_run=True
            )
        except (BadRequest, Forbidden, Invalid) as error:
            return refusal_of(error)
        return None

    async def _class(self, name: str) -> StorageClass | None:
        try:
            return await self._client.get(resources.CLASSES, None, name)
        except NotFound:
            return None

    async def _same_name(self, key: Key, body: dict[str, Any]) -> Refusal | None:
        """Return the refusal that the real create would meet: AlreadyExists is the good answer.

        Source: kubernetes.md D2: admission and validation run before the name is looked up.
        """
        try:
            await self._create_dry(key, body)
        except AlreadyExists:
            return None
        except (BadRequest, Forbidden, Invalid) as error:
            return refusal_of(error)
        raise Conflict(409, "Conflict", "the set has gone while it was asked about")

    async def _dry_delete(self, key: Key, live: Live) -> Refusal | None:
        """Return the refusal that the real delete would meet."""
        try:
            await self._client.delete(
                resources.STATEFULSETS.resource,
                *key,
                uid=live.uid,
                resource_version=live.resource_version,
                propagation="Orphan",
                dry_run=True,
            )
        except (BadRequest, Forbidden, Invalid) as error:
            return refusal_of(error)
        return None

    async def _probe(self, key: Key, body: dict[str, Any]) -> dict[str, Any] | Refusal:
        try:
            return await self._create_dry(key, body)
        except (BadRequest, Forbidden, Invalid, AlreadyExists) as error:
            return refusal_of(error)

    async def _create_dry(self, key: Key, body: dict[str, Any]) -> dict[str, Any]:
        return await self._client.create(
            resources.WHOLE_STATEFULSETS, key.namespace, body, dry_run=True
        )

    async def left_witness(self, world: World, question: AskWitness) -> dict[str, bool]:
        """Return {uid of the ConfigMap: whether the newest revision agrees with the backup}."""
        answers = {}
        for backup in world.backups:
            saved = world.answers.backups.get(backup.uid)
            if backup.name == question.backup and isinstance(saved, Saved):
                revisions = await self._revisions(world.key, saved.object)
                uid = backup.statefulset_uid
                answers[backup.uid] = successor.is_left_witnessed(saved.object, uid, revisions)
        return answers

    async def _witness(self, key: Key, live: Live) -> bool:
        return successor.is_witnessed(live.object, await self._revisions(key, live.object))

    async def _revisions(self, key: Key, whole: dict[str, Any]) -> list[dict[str, Any]]:
        chosen = msgspec.convert(whole["spec"].get("selector", {}), Selector, dec_hook=decode_hook)
        listing = await self._client.list(resources.REVISIONS, key.namespace, selector_text(chosen))
        return list(listing.items)

    def _sealed_bytes(self, world: World, live: Live, sizes: dict[str, str]) -> int:
        try:
            return len(self._sealer.seal(world, live, sizes).envelope)
        except TooLarge as too_large:
            return too_large.size_bytes


def refusal_of(error: ApiError) -> Refusal:
    """Return an API server's no as plain data, its message whole: only a terminal shows that."""
    return Refusal(error.code, error.reason, error.whole_message, error.fields, error.causes)


def selector_text(chosen: Selector) -> str:
    """Return a label selector as a list request writes it.

    Source: Kubernetes' labels and selectors: equality and set-based requirements.
    """
    parts = [f"{key}={value}" for key, value in sorted(chosen.match_labels.items())]
    for each in chosen.match_expressions:
        key, operator = each.get("key", ""), each.get("operator", "")
        values = ",".join(each.get("values") or ())
        parts.append(_EXPRESSIONS[operator].format(key=key, values=values))
    return ",".join(parts)


_EXPRESSIONS = {
    "In": "{key} in ({values})",
    "NotIn": "{key} notin ({values})",
    "Exists": "{key}",
    "DoesNotExist": "!{key}",
}
