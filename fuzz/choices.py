"""What a target is given: choices, made from bytes or by hypothesis.

A target builds its input from choices only, so that both engines drive the same code, and an input
that was found can be played again from its bytes.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")
MOST_CHARACTERS = 60
MOST_BYTES = 4096


class Choices(Protocol):
    """Where an input comes from."""

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        ...

    def count(self, most: int) -> int:
        """Return a number from 0 to `most`."""
        ...

    def text(self) -> str:
        """Return any text without lone surrogates, mostly short."""
        ...

    def blob(self) -> bytes:
        """Return any bytes; nothing can be chosen afterwards."""
        ...


class FromBytes:
    """Choices that a coverage-guided engine makes; exhausted bytes are zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def pick(self, options: Sequence[T]) -> T:
        return options[self.count(len(options) - 1)]

    def count(self, most: int) -> int:
        size = (most.bit_length() + 7) // 8
        return int.from_bytes(self._take(size)) % (most + 1)

    def text(self) -> str:
        return self._take(self.count(MOST_CHARACTERS)).decode(errors="replace")

    def blob(self) -> bytes:
        return self._take(len(self._data))

    def _take(self, size: int) -> bytes:
        found = self._data[self._at : self._at + size]
        self._at += size
        return found


class Drawn:
    """Choices that hypothesis makes, and shrinks."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def pick(self, options: Sequence[T]) -> T:
        return self._data.draw(st.sampled_from(options))

    def count(self, most: int) -> int:
        return self._data.draw(st.integers(0, most))

    def text(self) -> str:
        any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=MOST_CHARACTERS)
        return self._data.draw(any_text)

    def blob(self) -> bytes:
        return self._data.draw(st.binary(max_size=MOST_BYTES))
