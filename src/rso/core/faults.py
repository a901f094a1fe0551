"""What is wrong with an annotation, in words for the person who wrote it."""

import msgspec

from rso.core import names
from rso.core.names import Reason

_SHOWN = 64  # characters of a bad value that a sentence repeats


class Fault(msgspec.Struct, frozen=True):
    """Why a set's annotations cannot be followed; `key` is the annotation without our prefix."""

    reason: Reason
    sentence: str
    key: str = ""


class Unusable(Exception):
    """Ends the reading of annotations."""

    def __init__(self, reason: Reason, sentence: str, key: str = "") -> None:
        super().__init__(sentence)
        self.fault = Fault(reason, sentence, short(key))


def short(key: str) -> str:
    """Return an annotation's key as people say it, without our prefix."""
    return key.removeprefix(names.PREFIX)


def shown(text: str) -> str:
    """Return a value of somebody else, cut, with control characters escaped (safety T17)."""
    return ascii(text[:_SHOWN])
