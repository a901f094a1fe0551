"""Worlds in which a recreate is proven, or nearly so."""

from typing import Any

from msgspec.structs import replace

from rso.core.gate import MAX_BACKUP_BYTES
from rso.core.successor import probe
from rso.core.world import Live, Proof, World
from tests.factories import Json, backup, grown, pods, whole_set, with_answers, world

WISH = {"resize-0": "20Gi"}
SIZES = {"data": "20Gi"}
GROWING = {**WISH, "status": "Growing: data=20Gi"}
RETENTION: Json = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}


def ready(live: Json | None = None, **fields: Any) -> World:  # noqa: ANN401  any field of World
    """Return a world whose claims have grown and whose Pods are quiet."""
    start = grown(world(whole_set(GROWING) if live is None else live))
    return replace(with_answers(start, pods=pods()), **fields)


def proof(live: Json | None = None, **fields: Any) -> Proof:  # noqa: ANN401  any field of Proof
    """Return the proof that the recreate is accepted."""
    whole = live or whole_set(GROWING)
    base = Proof(
        live=Live(whole),
        sizes=SIZES,
        witness=True,
        same_name=None,
        probe=probe(whole, SIZES),
        sealed_bytes=MAX_BACKUP_BYTES,
    )
    return replace(base, **fields)


def proven(live: Json | None = None, **fields: Any) -> World:  # noqa: ANN401  any field of Proof
    """Return a world in which only the backup is missing."""
    return with_answers(ready(live), proof=proof(live, **fields))


def with_backup(live: Json, content: Any = None, **fields: Any) -> World:  # noqa: ANN401  a content
    """Return the proven world with a backup of this set."""
    start = replace(proven(live), backups=(backup(**fields),))
    return with_answers(start, backups={"uid-b-1": content}) if content else start
