"""What each step does to a played cluster; the bodies are those that are really sent."""

from collections.abc import Callable, Iterator
from typing import Any

from msgspec.structs import replace

from rso.core import bodies, managers, successor
from rso.core.actions import (
    DropBackup,
    EvictPod,
    GrowClaim,
    Recreate,
    RenewGeneration,
    Replace,
    RestoreManagers,
    RestorePolicy,
    SaveBackup,
    SetRetain,
    SetStatus,
    Step,
    Supersede,
    Unreference,
)
from rso.core.names import FIELD_MANAGER, Phase
from rso.core.played import (
    Json,
    begin_deletion,
    end_deletion,
    living,
    next_version,
    patch_claim,
    patch_set,
    restarted,
    settled_claim,
    whole,
    with_set,
)
from rso.core.world import Backup, Saved, SavedPod, World


def done(world: World, step: Step) -> World:
    """Return the world after a step, which a quiet cluster does at once.

    Raises: LookupError, when the step is about a set or a backup that is not there, or about a
    backup that was never opened.
    """
    play: Callable[[World, Any], World] = _PLAYS[type(step)]
    return play(world, step)


def cuts(world: World, step: Replace) -> Iterator[World]:
    """Yield the world after each thing that `Replace` brings about; it may be cut after each.

    labelled, deleting, gone, created, superseded, managers restored: the executor's order.
    Raises: LookupError, as `done`.
    """
    saved = _content(world, step.backup)
    world = _with_backup(world, replace(_backup(world, step.backup), phase=Phase.DELETING))
    yield world
    world = begin_deletion(world)
    yield world
    world = end_deletion(world)
    yield world
    world = _created(world, saved, step.uid)
    yield world
    uid = _successor_uid(step.uid)
    world = _supersede(world, Supersede(step.backup, uid))
    yield world
    yield _restore_managers(world, RestoreManagers(step.backup, uid))


def _grow_claim(world: World, step: GrowClaim) -> World:
    world = patch_claim(world, step.claim, lambda _: bodies.grow_claim(step, world.now))
    claims = (
        settled_claim(each) if each.metadata.name == step.claim else each for each in world.claims
    )
    return replace(world, claims=tuple(claims))


def _evict_pod(world: World, step: EvictPod) -> World:
    """Play what an eviction brings: the Pod is back at once, and its filesystems have grown."""
    claims = (
        settled_claim(each) if each.metadata.name.endswith(f"-{step.pod}") else each
        for each in world.claims
    )
    pods = world.answers.pods
    if pods is not None:
        again = (restarted(each) if each.metadata.uid == step.uid else each for each in pods.pods)
        pods = replace(pods, pods=tuple(again))
    return replace(world, claims=tuple(claims), answers=replace(world.answers, pods=pods))


def _unreference(world: World, step: Unreference) -> World:
    return patch_claim(world, step.claim, lambda live: bodies.owner_references(live, step.uids))


def _set_status(world: World, step: SetStatus) -> World:
    return patch_set(world, bodies.set_status(step, living(world).metadata.uid))


def _set_retain(world: World, step: SetRetain) -> World:
    return patch_set(world, bodies.set_retain(step))


def _renew_generation(world: World, step: RenewGeneration) -> World:
    world = patch_set(world, bodies.set_retain(SetRetain(step.resource_version)))
    version = living(world).metadata.resource_version
    return _restore_policy(world, RestorePolicy("Delete", version))


def _restore_policy(world: World, step: RestorePolicy) -> World:
    world = patch_set(world, bodies.restore_policy(step))
    version = living(world).metadata.resource_version
    return patch_set(world, bodies.policy_restored(None, version))


def _save_backup(world: World, step: SaveBackup) -> World:
    version = next_version(world)
    name = f"backup-{version}"
    pods = world.answers.pods.pods if world.answers.pods else ()
    before = (
        SavedPod(each.metadata.name, each.metadata.uid, each.restarts, each.is_ready)
        for each in pods
    )
    form = successor.saved_form(whole(living(world), world))
    saved = Saved(form, tuple(before), step.sizes)
    backup = Backup(name, name, version, step.uid, created_at=world.now)
    answers = replace(world.answers, backups={**world.answers.backups, name: saved})
    return replace(world, backups=(*world.backups, backup), answers=answers)


def _replace(world: World, step: Replace) -> World:
    return list(cuts(world, step))[-1]


def _recreate(world: World, step: Recreate) -> World:
    uid = _backup(world, step.backup).statefulset_uid
    return _created(world, _content(world, step.backup), uid)


def _created(world: World, saved: Saved, uid: str) -> World:
    """Play the CREATE: whatever managers a body carries, its sender manages every field."""
    body = successor.successor(saved.object, saved.sizes)
    fields: Json = {"f:spec": {"f:volumeClaimTemplates": {}}}
    metadata = {
        **body["metadata"],
        "uid": _successor_uid(uid),
        "resourceVersion": next_version(world),
        "generation": 1,
        "managedFields": [
            {"manager": FIELD_MANAGER, "operation": "Update", "fieldsV1": fields},
        ],
    }
    return with_set(world, {**body, "metadata": metadata}, {"observedGeneration": 1})


def _successor_uid(uid: str) -> str:
    return f"{uid}-next"


def _supersede(world: World, step: Supersede) -> World:
    backup = replace(
        _backup(world, step.backup),
        phase=Phase.SUPERSEDED,
        successor=step.successor,
        superseded_at=world.now,
    )
    return _with_backup(world, backup)


def _restore_managers(world: World, step: RestoreManagers) -> World:
    saved = _content(world, step.backup).object["metadata"].get("managedFields", [])
    live = whole(living(world), world)["metadata"].get("managedFields", [])
    return patch_set(world, {"metadata": {"managedFields": managers.restored(saved, live)}})


def _drop_backup(world: World, step: DropBackup) -> World:
    kept = (each for each in world.backups if each.name != step.backup)
    return replace(world, backups=tuple(kept))


def _backup(world: World, name: str) -> Backup:
    found = [each for each in world.backups if each.name == name]
    if not found:
        raise LookupError(f"there is no backup {name}")
    return found[0]


def _content(world: World, name: str) -> Saved:
    saved = world.answers.backups.get(_backup(world, name).uid)
    if isinstance(saved, Saved):
        return saved
    raise LookupError(f"backup {name} has not been opened")


def _with_backup(world: World, backup: Backup) -> World:
    changed = replace(backup, resource_version=next_version(world))
    backups = (changed if each.name == backup.name else each for each in world.backups)
    return replace(world, backups=tuple(backups))


_PLAYS: dict[type[Step], Callable[[World, Any], World]] = {
    DropBackup: _drop_backup,
    EvictPod: _evict_pod,
    GrowClaim: _grow_claim,
    Recreate: _recreate,
    RenewGeneration: _renew_generation,
    Replace: _replace,
    RestoreManagers: _restore_managers,
    RestorePolicy: _restore_policy,
    SaveBackup: _save_backup,
    SetRetain: _set_retain,
    SetStatus: _set_status,
    Supersede: _supersede,
    Unreference: _unreference,
}
