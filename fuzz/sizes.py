"""Targets about sizes, times and annotations: what people write."""

import msgspec

from fuzz import words
from fuzz.choices import Choices
from rso.core import scaling
from rso.core.faults import Fault
from rso.core.model import StatefulSet, decode_hook
from rso.core.policy import Bounds, read_policy
from rso.core.quantity import InvalidQuantity, format_bytes, read, read_bytes, round_up, size
from rso.core.scaling import Scaling, read_scaling
from rso.core.times import duration_seconds, format_time, parse_time

BOUNDS = Bounds(max_size_bytes=2000 * 2**30, max_factor=10, template_follows=True)
MOST_BYTES = 2**63 - 1


def quantity_readers(choices: Choices) -> None:
    """What a person or we ourselves write, the cluster reads as the same bytes."""
    count = choices.count(MOST_BYTES - 1) + 1
    assert size(format_bytes(count)).bytes == read_bytes(format_bytes(count)) == count
    text = words.quantity(choices)
    try:
        found = size(text)
    except InvalidQuantity:
        return
    assert 0 < found.bytes <= MOST_BYTES
    assert read_bytes(text) == read_bytes(found.text) == found.bytes


def quantity_in_the_cluster(choices: Choices) -> None:
    """Whatever Kubernetes holds is an exact amount, rounded away from zero; others are refused."""
    text = words.quantity(choices)
    try:
        amount = read(text)
    except InvalidQuantity:
        return
    assert abs(round_up(amount)) >= abs(amount)
    assert abs(round_up(amount)) - abs(amount) < 1


def policy_annotations(choices: Choices) -> None:
    """Annotations are a policy or a fault with a sentence; no claim is to shrink or to burst."""
    body = words.statefulset(choices)
    body["metadata"]["annotations"] = words.annotations(choices)
    try:
        statefulset = msgspec.convert(body, StatefulSet, dec_hook=decode_hook)
    except msgspec.ValidationError:
        return
    policy = read_policy(statefulset, BOUNDS, {})
    if isinstance(policy, Fault):
        assert policy.sentence.isprintable()
        return
    for target in policy.targets:
        assert target.claim.bytes >= target.current.bytes <= target.template.bytes
        assert target.claim.bytes <= max(target.current.bytes, BOUNDS.max_size_bytes)


def scaling_annotations(choices: Choices) -> None:
    """The autoscaler's annotations are a policy within its limits, or a fault with the key."""
    annotations = words.annotations(choices)
    found = read_scaling(annotations, Scaling())
    if isinstance(found, Fault):
        assert found.key
        assert found.sentence.startswith(found.key)
        return
    assert 0 <= found.cooldown_seconds <= scaling.LONGEST_COOLDOWN_SECONDS
    assert 1 <= found.checks <= scaling.MOST_CHECKS
    assert 1 <= found.steps_per_day <= scaling.MOST_STEPS_PER_DAY
    assert found.grow_at.full_ratio or found.grow_at.free_bytes
    assert (found.grow_by.ratio or found.grow_by.step_bytes or 1) > 0


def times(choices: Choices) -> None:
    """A time or a duration is read, or refused; what was read is written and read as the same."""
    text = choices.pick(("2026-11-01T12:00:00", "0001-01-01T00:00:00", "9999-12-31T23:59:59"))
    text += choices.pick(("Z", "+14:00", "-14:00", "+99:99", ".5Z", ""))
    if choices.count(1):
        text = choices.pick(("1h30m", "90s", "0", "", text)) + choices.text()
    moment = parse_time(text)
    if moment is not None and moment.year > 999:  # noqa: PLR2004  strftime pads no smaller years
        assert parse_time(format_time(moment)) == moment.replace(microsecond=0)
    try:
        seconds = duration_seconds(text)
    except ValueError:
        return
    assert 0 <= seconds < MOST_BYTES
