"""Who manages which field of the new set.

A create gives every field to its creator, whatever `managedFields` it carries; a second request
with `metadata.managedFields` is honoured (kubernetes.md M1-M3, M9, seen on 1.37.2). Without it
the next server-side apply of another tool, such as Helm 4, ends in a conflict.
"""

from collections.abc import Iterable
from typing import Any

from rso.core.names import DECLARED, FIELD_MANAGER, STATUS

Entry = dict[str, Any]

_ANNOTATIONS = "f:annotations"


def restored(saved: Iterable[Entry], live: Iterable[Entry]) -> list[Entry]:
    """Return the managers of the new set: the saved ones, and who has written since.

    A manager that applied in between keeps its entry (M9): it is the newer word.
    """
    live = list(live)
    others = [each for each in live if not _is_ours(each)]
    present = {_identity(each) for each in others}
    kept = [each for each in saved if not _is_status(each) and not _is_ours(each)]
    back = [each for each in kept if _identity(each) not in present]
    return [*others, *back, *_ours(saved, live)]


def is_restored(saved: Iterable[Entry], live: Iterable[Entry]) -> bool:
    """Return whether every saved manager is among the live ones, and ours holds no more."""
    live = list(live)
    present = {_identity(each) for each in live}
    missing = [
        each
        for each in saved
        if not _is_status(each) and not _is_ours(each) and _identity(each) not in present
    ]
    return not missing and not any(_is_ours(each) and "f:spec" in _fields(each) for each in live)


def trimmed(live: Iterable[Entry]) -> list[Entry] | None:
    """Return the managers with ours cut to our annotations; None when there is nothing to cut."""
    live = list(live)
    if is_restored([], live):
        return None
    return [*(each for each in live if not _is_ours(each)), *_ours([], live)]


def our_entry_owns_templates(live: Iterable[Entry]) -> bool:
    """Return whether our manager made this object: nobody else's create gives it the templates."""
    return any(
        _is_ours(each) and "f:volumeClaimTemplates" in _fields(each).get("f:spec", {})
        for each in live
    )


def without_times(entries: Iterable[Entry]) -> list[Entry]:
    """Return the managers of metadata and spec without the time of their last write, in order."""
    kept = [
        {key: value for key, value in each.items() if key != "time"}
        for each in entries
        if not _is_status(each)
    ]
    return sorted(kept, key=_identity)


def _identity(entry: Entry) -> tuple[str, ...]:
    """Return what tells managers apart (`BuildManagerIdentifier` of structured-merge-diff)."""
    parts = ("manager", "operation", "apiVersion", "subresource")
    return tuple(str(entry.get(part, "")) for part in parts)


def _is_ours(entry: Entry) -> bool:
    return bool(entry.get("manager") == FIELD_MANAGER)


def _is_status(entry: Entry) -> bool:
    return bool(entry.get("subresource") == "status")


def _fields(entry: Entry) -> dict[str, Any]:
    return entry.get("fieldsV1") or {}


def _ours(saved: Iterable[Entry], live: list[Entry]) -> list[Entry]:
    """Return our own entry, cut to the annotations that we wrote: at most one."""
    keys: dict[str, Any] = {}
    written = (f"f:{STATUS}", f"f:{DECLARED}")
    for entry in (*saved, *live):
        if _is_ours(entry):
            owned = _fields(entry).get("f:metadata", {}).get(_ANNOTATIONS, {})
            keys |= {key: value for key, value in owned.items() if key.startswith(written)}
    if not keys:
        return []
    return [
        {
            "manager": FIELD_MANAGER,
            "operation": "Update",
            "apiVersion": "apps/v1",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:metadata": {_ANNOTATIONS: keys}},
        }
    ]
