"""Our annotations as people write them: which are known, and what `read_policy` does not judge."""

import re
from collections.abc import Mapping

from rso.core import names, scaling
from rso.core.faults import short, shown
from rso.core.quantity import InvalidQuantity, size
from rso.core.times import parse_time

_INDEX = re.compile(r"0|[1-9][0-9]{0,3}", re.ASCII)
_KNOWN = frozenset(
    {
        names.AUTO_SCALED,
        names.MAX_SIZE,
        names.ON_SMALLER,
        names.RECREATE,
        names.PAUSED,
        names.OFFLINE,
        names.CONFIRM,
        names.WHEN_DELETED,
        names.STATUS,
        *scaling.KEYS,
    }
)
_PREFIXES = (
    names.WISH_BY_INDEX,
    names.WISH_BY_NAME,
    names.AUTO_WISH,
    names.AUTO_STEPS,
    names.DECLARED,
)


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """Return those of our annotations that are new or have another value."""
    return {
        key: text for key, text in after.items() if names.is_ours(key) and before.get(key) != text
    }


def unknown(annotations: Mapping[str, str]) -> list[str]:
    """Return the keys under our prefix that this version does not know."""
    return [key for key in annotations if key not in _KNOWN and not key.startswith(_PREFIXES)]


def fault(annotations: Mapping[str, str], count: int) -> str:
    """Return what is wrong with a key of the autoscaler, or with a note; empty for nothing.

    The notes are `declared-{i}` and `auto-steps-{i}`. On a set that is not auto-scaled, too: it may
    become one. `count` is the number of claim templates.
    """
    text = annotations.get(names.AUTO_SCALED, "true")
    if text not in ("true", "false"):
        return f"auto-scaled is {shown(text)}; write true or false"
    unusable = scaling.fault(annotations)
    if unusable:
        return unusable.sentence
    for key, said in annotations.items():
        found = _indexed_fault(key, said, count)
        if found:
            return found
    return ""


def _indexed_fault(key: str, text: str, count: int) -> str:
    """Return what is wrong with a note about one claim template: a size, or times of steps."""
    prefix = next((each for each in (names.DECLARED, names.AUTO_STEPS) if key.startswith(each)), "")
    if not prefix:
        return ""
    number, key = key.removeprefix(prefix), short(key)
    if not _INDEX.fullmatch(number) or int(number) >= count:
        return (
            f"{shown(key)[1:-1]} names no claim template: the set has {count} of them, "
            "counted from 0; correct or remove the annotation"
        )
    if prefix == names.AUTO_STEPS:
        is_good = all(parse_time(each) for each in text.split(",") if each)
        how = "write times such as 2026-11-01T12:00:00Z, joined by commas, or remove it"
        return "" if is_good else f"{key} is {shown(text)}; {how}"
    try:
        size(text)
    except InvalidQuantity as error:
        return f"{key}: {error}"
    return ""
