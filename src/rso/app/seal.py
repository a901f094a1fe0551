"""Makes the backup of a set: what is in it, under which header, sealed with which key."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from rso import __version__
from rso.app.backup import Header, Keys, seal
from rso.core import successor
from rso.core.model import Metadata
from rso.core.pods import Pod
from rso.core.times import format_time
from rso.core.world import Live, Saved, SavedPod, World


class NoKey(Exception):
    """There is no readable key; its text says why."""


class KeySource(Protocol):
    """Where the keys are, whatever may happen to them meanwhile."""

    @property
    def problem(self) -> str:
        """Why nothing can be sealed, in a sentence."""
        ...

    def current(self) -> Keys | None:
        """Return the keys that seal and open."""
        ...

    def for_opening(self) -> Keys | None:
        """Return the keys that open."""
        ...


@dataclass(frozen=True, slots=True)
class Sealed:
    """A backup ready to be stored."""

    header: Header
    envelope: bytes
    saved: Saved


class Sealer:
    """Seals with the keys of a directory; `cluster` is the uid of the operator's namespace."""

    def __init__(self, keys: KeySource | None, cluster: str, namespace: str) -> None:
        self._keys = keys
        self.cluster = cluster
        self.namespace = namespace

    @property
    def has_key(self) -> bool:
        """Whether a backup can be sealed now."""
        return self._keys is not None and self._keys.current() is not None

    def keys_for_opening(self) -> Keys | None:
        """Return the keys that open backups."""
        return self._keys.for_opening() if self._keys else None

    def seal(self, world: World, live: Live, sizes: dict[str, str]) -> Sealed:
        """Return the sealed backup of a set that shall get `{template: size}`.

        Raises: NoKey; TooLarge.
        """
        keys = self._keys.current() if self._keys else None
        if keys is None:
            raise NoKey(self._keys.problem if self._keys else "no key directory was given")
        header = self._header(live)
        saved = _saved(world, live, sizes)
        content = {**msgspec.to_builtins(saved), **_circumstances(world)}
        return Sealed(header, seal(keys, header, content), saved)

    def _header(self, live: Live) -> Header:
        metadata = live.object["metadata"]
        return Header(
            cluster=self.cluster,
            namespace=metadata["namespace"],
            name=metadata["name"],
            uid=live.uid,
            generation=metadata["generation"],
            resource_version=live.resource_version,
            attempt=secrets.token_hex(8),
        )


def _saved(world: World, live: Live, sizes: dict[str, str]) -> Saved:
    pods = world.answers.pods.pods if world.answers.pods else ()
    return Saved(successor.saved_form(live.object), tuple(map(_saved_pod, pods)), sizes)


def _saved_pod(pod: Pod) -> SavedPod:
    return SavedPod(pod.metadata.name, pod.metadata.uid, pod.restarts, pod.is_ready)


def _circumstances(world: World) -> dict[str, Any]:
    """Return what a person wants to know who opens a backup by hand (safety.md section 7)."""
    templates = world.statefulset.spec.volume_claim_templates if world.statefulset else ()
    return {
        "oldSizes": {each.name: each.spec.resources.storage for each in templates},
        "claims": sorted(_fingerprint(each.metadata) for each in world.claims),
        "writtenAt": format_time(world.now),
        "version": __version__,
    }


def _fingerprint(metadata: Metadata) -> str:
    return hashlib.sha256(f"{metadata.name}|{metadata.uid}".encode()).hexdigest()
