"""The mappings of strings in objects, shared wherever they are equal.

Claims of one set carry the same labels and mostly the same sizes; 30,000 claims of 10,000 sets
need 30 MB less when each mapping is kept once. What is decoded must not be changed, then.
"""

import sys
from functools import lru_cache
from typing import Any

from rso.core.names import is_ours

_Pairs = tuple[tuple[str, str], ...]
# Lists are sorted by name, so equal labels come one after the other.
_SHARED = 512


class OwnAnnotations(dict[str, str]):
    """The annotations under our prefix; those of others are dropped while decoding."""

    __slots__ = ()


class Labels(dict[str, str]):
    """Labels with interned keys and values; decoded ones are shared and must not be changed."""

    __slots__ = ()


class Quantities(dict[str, str]):
    """Quantities as text by resource; decoded ones are shared and must not be changed."""

    __slots__ = ()


_NO_ANNOTATIONS = OwnAnnotations()


def decode_hook(kind: type, value: Any) -> Any:  # noqa: ANN401  msgspec's signature
    """Build the mappings above for msgspec.

    Raises: TypeError, when the value is no mapping of strings.
    """
    if value is None:
        value = {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise TypeError("not a map of strings")
    if kind is OwnAnnotations:
        own = OwnAnnotations((key, text) for key, text in value.items() if is_ours(key))
        return own or _NO_ANNOTATIONS
    return _labels(tuple(value.items())) if kind is Labels else _quantities(tuple(value.items()))


@lru_cache(_SHARED)
def _labels(pairs: _Pairs) -> Labels:
    return Labels((sys.intern(key), sys.intern(text)) for key, text in pairs)


@lru_cache(_SHARED)
def _quantities(pairs: _Pairs) -> Quantities:
    return Quantities((sys.intern(key), sys.intern(text)) for key, text in pairs)
