"""How a set wants to be auto-scaled: its annotations, over defaults from the settings.

The functions that read one text each raise ValueError with a sentence that says what to write;
flags of the same names are read by them, too.
"""

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

import msgspec

from rso.core import names
from rso.core.faults import Fault, short, shown
from rso.core.model import StatefulSet
from rso.core.names import Reason
from rso.core.quantity import size
from rso.core.times import duration_seconds

# A step brings the fullest claim this far under the threshold: below it nothing would be left.
HEADROOM_RATIO = Fraction(1, 10)
LONGEST_COOLDOWN_SECONDS = 30 * 24 * 3600.0
LEAST_BYTES = 2**20
MOST_CHECKS = 10
MOST_STEPS_PER_DAY = 24  # each is a time in an annotation

_REMEMBERED = 256  # shares that people write: few, and read at each look
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,2})?)%", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,3}", re.ASCII)


class GrowAt(msgspec.Struct, frozen=True):
    """When a claim is too full: at this share, or with so few bytes free, whichever is first.

    None: this one does not count. One of them is always there.
    """

    full_ratio: Fraction | None = Fraction(4, 5)
    free_bytes: int | None = None


class GrowBy(msgspec.Struct, frozen=True):
    """How large a step is: a share of the size, or bytes; with neither the next power of two."""

    ratio: Fraction | None = None
    step_bytes: int | None = None


class Scaling(msgspec.Struct, frozen=True):
    """How a set is auto-scaled; the defaults are those of the settings.

    `grow_max_bytes` None: a step may be of any size up to the bound.
    """

    grow_at: GrowAt = GrowAt()
    inodes_ratio: Fraction = Fraction(4, 5)
    grow_by: GrowBy = GrowBy()
    grow_min_bytes: int = 0
    grow_max_bytes: int | None = None
    cooldown_seconds: float = 6 * 3600.0  # EBS allows one change of a volume in 6 h
    checks: int = 2
    steps_per_day: int = 4  # EBS allows four changes of a volume in 24 h


def is_auto_scaled(statefulset: StatefulSet) -> bool:
    """Return whether a set is to be auto-scaled: the annotation decides, without it the label.

    A value that is neither true nor false counts, too: its fault must be told. Of a label any
    value but false counts.
    """
    metadata = statefulset.metadata
    label = metadata.labels.get(names.AUTO_SCALED, "false")
    return metadata.annotations.get(names.AUTO_SCALED, label) != "false"


def read_scaling(annotations: Mapping[str, str], defaults: Scaling) -> Scaling | Fault:
    """Return how a set is auto-scaled, or the first fault of its annotations."""
    found: dict[str, Any] = {}
    for key, (name, read, how) in _FIELDS.items():
        text = annotations.get(key)
        if text is None:
            continue
        try:
            found[name] = read(text)
        except ValueError:
            sentence = f"{short(key)} is {shown(text)}; {how}"
            return Fault(Reason.MALFORMED, sentence, short(key))
    return msgspec.structs.replace(defaults, **found) if found else defaults


def fault(annotations: Mapping[str, str]) -> Fault | None:
    """Return what is wrong with the annotations that say how a set is auto-scaled."""
    found = read_scaling(annotations, Scaling())
    return found if isinstance(found, Fault) else None


def grow_at(text: str) -> GrowAt:
    """Return a threshold: `80%`, free bytes as `5Gi`, or one of each joined by a comma."""
    ratios, free = [], []
    for part in text.split(","):
        word = part.strip()
        if word.endswith("%"):
            ratios.append(threshold_ratio(word))
        else:
            free.append(step_bytes(word))
    if len(ratios) > 1 or len(free) > 1:
        raise ValueError(_GROW_AT)
    return GrowAt(ratios[0] if ratios else None, free[0] if free else None)


def threshold_ratio(text: str) -> Fraction:
    """Return a share from 20% to 99%: lower ones would demand ten times the space in use."""
    return _ratio(text, Fraction(1, 5), Fraction(99, 100), _THRESHOLD)


def grow_by(text: str) -> GrowBy:
    """Return the size of a step: `power-of-two`, `25%` (1% to 900%) or `10Gi`."""
    if text == "power-of-two":
        return GrowBy()
    if text.endswith("%"):
        return GrowBy(ratio=_ratio(text, Fraction(1, 100), Fraction(9), _GROW_BY))
    return GrowBy(step_bytes=step_bytes(text))


def cooldown_seconds(text: str) -> float:
    """Return a pause of up to thirty days; 0 for none."""
    seconds = duration_seconds(text)
    if seconds > LONGEST_COOLDOWN_SECONDS:
        raise ValueError(_COOLDOWN)
    return seconds


def checks(text: str) -> int:
    """Return how many samples in a row must be over the threshold, 1 to 10."""
    return _count(text, MOST_CHECKS, _CHECKS)


def steps_per_day(text: str) -> int:
    """Return how many steps any 24 hours may have, 1 to 24."""
    return _count(text, MOST_STEPS_PER_DAY, _STEPS)


def step_bytes(text: str) -> int:
    """Return the bytes of a step or of free space: 1Mi at least, since `80` may mean 80%."""
    amount = size(text).bytes
    if amount < LEAST_BYTES:
        raise ValueError(_STEP)
    return amount


@lru_cache(_REMEMBERED)
def _ratio(text: str, least: Fraction, most: Fraction, how: str) -> Fraction:
    match = _PERCENT.fullmatch(text)
    ratio = Fraction(match[1]) / 100 if match else None
    if ratio is None or not least <= ratio <= most:
        raise ValueError(how)
    return ratio


def _count(text: str, most: int, how: str) -> int:
    if not _COUNT.fullmatch(text) or not 1 <= int(text) <= most:
        raise ValueError(how)
    return int(text)


_GROW_AT = "write a share from 20% to 99%, free space such as 5Gi, or both: 80%,5Gi"
_THRESHOLD = "write a share from 20% to 99%"
_GROW_BY = "write power-of-two, a share from 1% to 900%, or a size such as 10Gi"
_STEP = "write a size of 1Mi or more, such as 10Gi"
_COOLDOWN = "write a time such as 6h, 90m or 1h30m, up to 720h; 0 for none"
_CHECKS = f"write a number from 1 to {MOST_CHECKS}"
_STEPS = f"write a number from 1 to {MOST_STEPS_PER_DAY}"

# {annotation: (field, how it is read, what to write)}
_FIELDS: dict[str, tuple[str, Callable[[str], Any], str]] = {
    names.GROW_AT: ("grow_at", grow_at, _GROW_AT),
    names.GROW_AT_INODES: ("inodes_ratio", threshold_ratio, _THRESHOLD),
    names.GROW_BY: ("grow_by", grow_by, _GROW_BY),
    names.GROW_MIN: ("grow_min_bytes", step_bytes, _STEP),
    names.GROW_MAX: ("grow_max_bytes", step_bytes, _STEP),
    names.COOLDOWN: ("cooldown_seconds", cooldown_seconds, _COOLDOWN),
    names.CHECKS: ("checks", checks, _CHECKS),
    names.STEPS_PER_DAY: ("steps_per_day", steps_per_day, _STEPS),
}
KEYS = frozenset(_FIELDS)
