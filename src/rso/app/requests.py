"""The changing requests of each step, as people want to read them before they are made."""

from collections.abc import Iterator, Mapping

import msgspec

from rso.app.backup import backup_name
from rso.app.forecast import Forecast
from rso.core import names
from rso.core.actions import (
    Decision,
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
    Supersede,
    Unreference,
)
from rso.core.model import StatefulSet
from rso.core.names import Phase
from rso.core.world import World


class Planned(msgspec.Struct, frozen=True):
    """One request: verb, resource and name as Kubernetes says them, and what changes."""

    verb: str
    resource: str
    namespace: str
    name: str
    change: str


class Requests:
    """Tells the requests of steps; backups live in the operator's namespace.

    `cluster` is the uid of that namespace; without it a backup's name is not known yet.
    """

    def __init__(self, cluster: str, operator_namespace: str) -> None:
        self._cluster = cluster
        self._namespace = operator_namespace

    def all(self, forecast: Forecast) -> Iterator[Planned]:
        """Yield every changing request of a forecast, in order."""
        for moment in forecast.moments:
            yield from self.of(moment.world, moment.decision)

    def of(self, world: World, step: Decision) -> Iterator[Planned]:  # noqa: C901, PLR0912  one case a step
        """Yield the changing requests of one step, in order; none for other decisions."""
        match step:
            case SetStatus():
                yield _set(world, "patch", f"annotation status: {_head(step.text)}")
            case GrowClaim():
                change = f"request {step.old} -> {step.new}"
                yield _claim(world, step.claim, change)
            case EvictPod():
                change = "so that its filesystem grows when it starts again"
                yield Planned("create", "pods/eviction", world.key.namespace, step.pod, change)
            case SetRetain():
                yield _set(world, "patch", "whenDeleted: Delete -> Retain, while the set is away")
            case RenewGeneration():
                yield _set(world, "patch", "whenDeleted: Delete -> Retain, for a new generation")
                yield _set(world, "patch", "whenDeleted: -> Delete")
            case RestorePolicy():
                yield _set(world, "patch", f"whenDeleted: -> {step.when_deleted}")
            case Unreference():
                yield _claim(world, step.claim, "remove its reference to the set as owner")
            case SaveBackup():
                yield self._backup(world, "", "create", "the whole set, sealed, then read back")
            case Replace():
                yield from self._replace(world, step)
            case Recreate():
                yield _set(world, "create", "from its backup")
            case Supersede():
                yield self._backup(world, step.backup, "patch", f"phase -> {Phase.SUPERSEDED}")
            case RestoreManagers():
                yield _set(world, "patch", "give each field back to its manager")
            case DropBackup():
                yield self._backup(world, step.backup, "delete", step.sentence)
            case _:
                return

    def _replace(self, world: World, step: Replace) -> Iterator[Planned]:
        yield self._backup(world, step.backup, "patch", f"phase -> {Phase.DELETING}")
        yield _set(world, "delete", "orphan: Pods and claims stay; this uid and version only")
        yield _set(world, "create", f"as it was, with {_grown(world, step)}")
        yield self._backup(world, step.backup, "patch", f"phase -> {Phase.SUPERSEDED}")
        yield _set(world, "patch", "give each field back to its manager")

    def _backup(self, world: World, name: str, verb: str, change: str) -> Planned:
        return Planned(verb, "configmaps", self._namespace, self._name(world, name), change)

    def _name(self, world: World, name: str) -> str:
        """Return the real name of a backup that is only played."""
        if name.startswith("srb-"):
            return name
        found = [each.statefulset_uid for each in world.backups if each.name == name]
        uid = found[0] if found else _uid(world)
        return backup_name(self._cluster, *world.key, uid) if self._cluster and uid else "srb-..."


def _grown(world: World, step: Replace) -> str:
    """Return the template sizes that the new set gets."""
    uids = {each.uid for each in world.backups if each.name == step.backup}
    saved = [each for uid, each in world.answers.backups.items() if uid in uids]
    sizes: dict[str, str] = getattr(saved[0], "sizes", {}) if saved else {}
    templates = world.statefulset.spec.volume_claim_templates if world.statefulset else ()
    changes = (
        f"{each.name} {each.spec.resources.storage} -> {sizes[each.name]}"
        for each in templates
        if each.name in sizes
    )
    return ", ".join(changes) or "the sizes of its backup"


def _head(status: str) -> str:
    """Return the words of a status without its sentence."""
    words = status.split(": ", 2)
    return ": ".join(words[:2]) or "removed"


def _uid(world: World) -> str:
    return world.statefulset.metadata.uid if world.statefulset else ""


def _set(world: World, verb: str, change: str) -> Planned:
    return Planned(verb, "statefulsets", *world.key, change)


def _claim(world: World, name: str, change: str) -> Planned:
    return Planned("patch", "persistentvolumeclaims", world.key.namespace, name, change)


def wishing(statefulset: StatefulSet, wished: Mapping[str, str]) -> Iterator[Planned]:
    """Yield the one request that writes annotations, if any of them differs."""
    metadata = statefulset.metadata
    present = metadata.annotations
    changes = [
        f"{key.removeprefix(names.PREFIX)}: {present.get(key) or '(none)'} -> {text}"
        for key, text in wished.items()
        if present.get(key) != text
    ]
    if changes:
        text = f"annotation {', '.join(changes)}"
        yield Planned("patch", "statefulsets", metadata.namespace, metadata.name, text)
