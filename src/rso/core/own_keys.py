"""Our annotations as people write them: which are known, and what `read_policy` does not judge."""

import re
from collections.abc import Mapping

from rso.core import names
from rso.core.quantity import InvalidQuantity, size

_INDEX = re.compile(r"0|[1-9][0-9]{0,3}", re.ASCII)
_KNOWN = frozenset(
    {
        names.AUTO_SCALED,
        names.MAX_SIZE,
        names.ON_SMALLER,
        names.RECREATE,
        names.PAUSED,
        names.CONFIRM,
        names.WHEN_DELETED,
        names.STATUS,
    }
)
_PREFIXES = (names.WISH_BY_INDEX, names.WISH_BY_NAME, names.AUTO_WISH, names.DECLARED)
_SHOWN = 64  # characters of somebody's text that a sentence repeats


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """Return those of our annotations that are new or have another value."""
    return {
        key: text for key, text in after.items() if names.is_ours(key) and before.get(key) != text
    }


def unknown(annotations: Mapping[str, str]) -> list[str]:
    """Return the keys under our prefix that this version does not know."""
    return [key for key in annotations if key not in _KNOWN and not key.startswith(_PREFIXES)]


def fault(annotations: Mapping[str, str], count: int) -> str:
    """Return what is wrong with `auto-scaled` or a `declared-{i}`; empty for nothing.

    `count` is the number of claim templates.
    """
    text = annotations.get(names.AUTO_SCALED, "true")
    if text not in ("true", "false"):
        return f"auto-scaled is {text[:_SHOWN]!a}; write true or false"
    for key, said in annotations.items():
        found = _declared_fault(key, said, count) if names.is_declared(key) else ""
        if found:
            return found
    return ""


def _declared_fault(key: str, text: str, count: int) -> str:
    short = key.removeprefix(names.PREFIX)
    number = key.removeprefix(names.DECLARED)
    if not _INDEX.fullmatch(number) or int(number) >= count:
        return (
            f"{ascii(short[:_SHOWN])[1:-1]} names no claim template: the set has {count} of them, "
            "counted from 0; correct or remove the annotation"
        )
    try:
        size(text)
    except InvalidQuantity as error:
        return f"{short}: {error}"
    return ""
