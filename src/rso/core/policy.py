"""From annotations to sizes: what a set wants, or what is wrong with what it says.

wanted = max(template, `resize-{i}`, `resize.{template}`, `auto-resize-{i}`): a level, not an
event. A wish that is not above the template is inert: it may stand in somebody's manifest.
"""

import re
from collections.abc import Mapping

import msgspec

from rso.core import names, scaling
from rso.core.faults import Fault as Fault  # noqa: PLC0414  what `read_policy` may return
from rso.core.faults import Unusable, short, shown
from rso.core.model import StatefulSet
from rso.core.names import Reason
from rso.core.quantity import InvalidQuantity, Size, format_bytes, read_bytes, size

_INDEX = re.compile(r"0|[1-9][0-9]{0,3}", re.ASCII)
RETENTION_POLICIES = ("Delete", "Retain")  # of `whenDeleted`


class Bounds(msgspec.Struct, frozen=True):
    """What the operator's settings allow."""

    max_size_bytes: int
    max_factor: int
    template_follows: bool
    reads_volumes: bool = True


class Target(msgspec.Struct, frozen=True):
    """The sizes of one claim template: `claim` for its claims, `template` for itself."""

    index: int
    name: str
    current: Size
    claim: Size
    template: Size
    is_wished: bool

    @property
    def rises(self) -> bool:
        """Whether the template must become larger."""
        return self.template.bytes > self.current.bytes


class Policy(msgspec.Struct, frozen=True):
    """What a set wants."""

    targets: tuple[Target, ...]
    recreate: bool
    paused: bool
    evicts: bool = False


def wished_sizes(targets: tuple[Target, ...]) -> str:
    """Return what a status says of sizes: `data=20Gi, log=5Gi`."""
    wished = [target for target in targets if target.is_wished] or targets
    return ", ".join(f"{target.name}={target.claim.text}" for target in wished)


def has_own_annotation(statefulset: StatefulSet) -> bool:
    """Return whether the set asks for anything; only then its template counts as a wish."""
    return bool(statefulset.metadata.annotations)


def read_policy(
    statefulset: StatefulSet, bounds: Bounds, largest: Mapping[int, int]
) -> Policy | Fault:
    """Return what the set wants, or the first fault of its annotations.

    `largest` is {template index: bytes of the largest claim}: the autoscaler's wish is judged by
    it, since its template may stay behind.
    """
    try:
        return _policy(statefulset, bounds, largest)
    except Unusable as unusable:
        return unusable.fault


def _policy(statefulset: StatefulSet, bounds: Bounds, largest: Mapping[int, int]) -> Policy:
    annotations = statefulset.metadata.annotations
    reader = _Reader(annotations)
    wishes = _wishes(statefulset, reader)
    most = bound_bytes(annotations, bounds)
    confirmed = reader.size(names.CONFIRM, 0)
    targets = []
    for index, template in enumerate(statefulset.spec.volume_claim_templates):
        current = _template_size(template.name, template.spec.resources.storage)
        for key, wish in wishes.get(index, {}).items():
            base = current.bytes
            if key.startswith(names.AUTO_WISH):
                base = max(base, largest.get(index, 0))
            _check(key, wish, base, bounds, (most, confirmed))
        targets.append(_target(index, template.name, current, wishes.get(index, {}), bounds))
    policy = Policy(
        targets=tuple(targets),
        recreate=reader.flag(names.RECREATE, default=True),
        paused=reader.flag(names.PAUSED, default=False),
        evicts=reader.word(names.OFFLINE, ("evict",)) is not None,
    )
    reader.word(names.ON_SMALLER, ("deny", "keep"))
    reader.word(names.WHEN_DELETED, RETENTION_POLICIES)
    reader.word(names.AUTO_SCALED, ("true", "false"))
    _check_scaling(statefulset)
    return policy


def _check_scaling(statefulset: StatefulSet) -> None:
    """Refuse what the autoscaler could not follow, so that the set's status says it, too.

    It holds the set's other wishes, like every malformed annotation: one rule, the cure is named,
    and the person who wrote it is the one who looks. To go on with a policy that is not the one
    that was meant could only be done by leaving a fault unsaid, since a set has one status.
    """
    if scaling.is_auto_scaled(statefulset):
        found = scaling.fault(statefulset.metadata.annotations)
        if found:
            raise Unusable(found.reason, found.sentence, found.key)


def bound_bytes(annotations: Mapping[str, str], bounds: Bounds) -> int:
    """Return the most that a claim of the set may have: the set's own bound, or the operator's.

    Raises: Unusable, when the set's own cannot be read.
    """
    own = _Reader(annotations).size(names.MAX_SIZE, bounds.max_size_bytes)
    return min(own, bounds.max_size_bytes)


class _Reader:
    """Reads annotations; a bad value ends the reading with the key's name."""

    def __init__(self, annotations: Mapping[str, str]) -> None:
        self.annotations = annotations

    def wish(self, key: str) -> Size:
        text = self.annotations[key]
        try:
            return size(text)
        except InvalidQuantity as error:
            raise Unusable(Reason.MALFORMED, f"{short(key)}: {error}", key) from None

    def size(self, key: str, default: int) -> int:
        return self.wish(key).bytes if key in self.annotations else default

    def flag(self, key: str, *, default: bool) -> bool:
        return (self.word(key, ("true", "false")) or str(default).lower()) == "true"

    def word(self, key: str, allowed: tuple[str, ...]) -> str | None:
        text = self.annotations.get(key)
        if text is not None and text not in allowed:
            raise Unusable(
                Reason.MALFORMED,
                f"{short(key)} is {shown(text)}; write {' or '.join(allowed)}",
                key,
            )
        return text


def _wishes(statefulset: StatefulSet, reader: _Reader) -> dict[int, dict[str, Size]]:
    """{template index: {annotation key: size}}."""
    templates = [template.name for template in statefulset.spec.volume_claim_templates]
    wishes: dict[int, dict[str, Size]] = {}
    for key in reader.annotations:
        index = _template_index(key, templates)
        if index is not None:
            wishes.setdefault(index, {})[key] = reader.wish(key)
    return wishes


def _template_index(key: str, templates: list[str]) -> int | None:
    """Return which template a wish is for; None when the key is no wish."""
    if key.startswith(names.WISH_BY_NAME):
        name = key.removeprefix(names.WISH_BY_NAME)
        if name in templates:
            return templates.index(name)
        raise _unknown(key, templates)
    for prefix in (names.WISH_BY_INDEX, names.AUTO_WISH):
        if key.startswith(prefix):
            number = key.removeprefix(prefix)
            if _INDEX.fullmatch(number) and int(number) < len(templates):
                return int(number)
            raise _unknown(key, templates)
    return None


def _unknown(key: str, templates: list[str]) -> Unusable:
    if not templates:
        known = "the set has no volumeClaimTemplates; remove the annotation"
    else:
        listed = ", ".join(f"{index}={name}" for index, name in enumerate(templates))
        known = f"the set has {listed}; correct or remove the annotation"
    return Unusable(Reason.UNKNOWN_TEMPLATE, f"{short(key)} names no claim template: {known}", key)


def _template_size(name: str, text: str) -> Size:
    try:
        amount = read_bytes(text)
    except InvalidQuantity:
        raise Unusable(
            Reason.MALFORMED, f"the size {shown(text)} of claim template {name} cannot be read"
        ) from None
    return as_size(text, amount)


def as_size(text: str, amount: int) -> Size:
    """Return a size that the cluster holds, in its own words where they are a plain size."""
    try:
        own = size(text)
    except InvalidQuantity:
        return Size(amount, format_bytes(amount))
    return own


def _check(key: str, wish: Size, base: int, bounds: Bounds, limits: tuple[int, int]) -> None:
    """Refuse a wish above the bound, or more than the factor above its base without `confirm`."""
    most, confirmed = limits
    if wish.bytes <= base:
        return
    if wish.bytes > most:
        raise Unusable(
            Reason.OVER_BOUND,
            f"{short(key)} asks for {wish.text}, above the bound of {format_bytes(most)}; lower "
            "it, or raise max-size of the set or --max-size of the operator, whichever is smaller",
            key,
        )
    if wish.bytes > base * bounds.max_factor and wish.bytes > confirmed:
        raise Unusable(
            Reason.STEP_TOO_BIG,
            f"{short(key)} asks for {wish.text}, more than {bounds.max_factor} times "
            f"{format_bytes(base)}; volumes never shrink, so confirm it with the annotation "
            f"{names.CONFIRM}={wish.text}, or lower it",
            key,
        )


def _target(
    index: int, name: str, current: Size, wishes: Mapping[str, Size], bounds: Bounds
) -> Target:
    for_template = [
        wish
        for key, wish in wishes.items()
        if bounds.template_follows or not key.startswith(names.AUTO_WISH)
    ]
    return Target(
        index=index,
        name=name,
        current=current,
        claim=_largest(current, list(wishes.values())),
        template=_largest(current, for_template),
        is_wished=bool(wishes),
    )


def _largest(current: Size, wishes: list[Size]) -> Size:
    return max([current, *wishes], key=lambda each: each.bytes)
