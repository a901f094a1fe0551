"""The claim templates of a set under review beside those that are stored, size by size."""

import msgspec

from rso.core import names
from rso.core.policy import as_size
from rso.core.quantity import InvalidQuantity, Size, read_bytes, size
from rso.core.reviewed import Json, ReviewedSet
from rso.core.verdict import size_text, sized


class Case(msgspec.Struct, frozen=True):
    """One claim template: what is stored, what is asked, what was said and wished before.

    `stored_text` is the stored size to the letter. `wish` and `submitted_wish` are `resize-{i}`
    of the stored and of the submitted set, where it can be read.
    """

    index: int
    name: str
    stored_text: str
    stored: Size
    asked: Size
    declared: Size | None
    wish: Size | None
    submitted_wish: Size | None

    @property
    def wish_key(self) -> str:
        """The annotation for this template's wish."""
        return f"{names.WISH_BY_INDEX}{self.index}"

    @property
    def declared_key(self) -> str:
        """The annotation for the size that the manifests last said."""
        return f"{names.DECLARED}{self.index}"

    @property
    def said(self) -> Size:
        """The size that the manifests last said; without a note, the stored one."""
        return self.declared or self.stored

    @property
    def is_pending(self) -> bool:
        """Whether the stored set has a wish above its template."""
        return self.wish is not None and self.wish.bytes > self.stored.bytes

    @property
    def is_recorded(self) -> bool:
        """Whether that wish is what a manifest said, and no person's annotation."""
        return self.wish is not None and self.declared == self.wish


def cases_of(old: ReviewedSet, new: ReviewedSet) -> list[Case] | None:
    """Return the templates in their order.

    None, when they differ in more than sizes, or a size is none: the API server has its own answer.
    """
    if len(old.templates) != len(new.templates):
        return None
    cases = [
        _case(index, (old, new), pair)
        for index, pair in enumerate(zip(old.templates, new.templates, strict=True))
    ]
    found = [case for case in cases if case is not None]
    return found if len(found) == len(cases) else None


def _case(
    index: int, sets: tuple[ReviewedSet, ReviewedSet], pair: tuple[Json, Json]
) -> Case | None:
    stored, asked = size_text(pair[0]), size_text(pair[1])
    if stored is None or asked is None or pair[0] != sized(pair[1], stored):
        return None
    name = pair[0].get("metadata", {}).get("name")
    sizes = _held(stored), _held(asked)
    if not isinstance(name, str) or sizes[0] is None or sizes[1] is None:
        return None
    wish_key, declared_key = f"{names.WISH_BY_INDEX}{index}", f"{names.DECLARED}{index}"
    return Case(
        index,
        name,
        stored,
        *(sizes[0], sizes[1]),
        declared=_wished(sets[0], declared_key),
        wish=_wished(sets[0], wish_key),
        submitted_wish=_wished(sets[1], wish_key),
    )


def _held(text: str) -> Size | None:
    try:
        amount = read_bytes(text)
    except InvalidQuantity:
        return None
    return as_size(text, amount) if amount > 0 else None


def _wished(found: ReviewedSet, key: str) -> Size | None:
    try:
        return size(found.annotations.get(key, ""))
    except InvalidQuantity:
        return None
