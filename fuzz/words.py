"""Words of the domain: random letters alone would hardly ever make a quantity or an annotation."""

from typing import Any

from fuzz.choices import Choices
from rso.core.names import PREFIX

NUMBERS = ("0", "1", "2", "9", "10", "16", "1.5", ".5", "5.", "00", "-1", "+3", "1e3", "9" * 20)
SUFFIXES = (
    "",
    "m",
    "u",
    "n",
    "k",
    "M",
    "G",
    "T",
    "Ki",
    "Mi",
    "Gi",
    "Ti",
    "Pi",
    "Ei",
    "e3",
    "E",
    "K",
)
KEYS = (
    "resize-0",
    "resize-1",
    "resize-01",
    "resize.data",
    "resize.log",
    "auto-resize-0",
    "auto-steps-0",
    "declared-0",
    "auto-scaled",
    "max-size",
    "confirm",
    "on-smaller",
    "recreate",
    "paused",
    "when-deleted",
    "status",
    "grow-at",
    "grow-at-inodes",
    "grow-by",
    "grow-min",
    "grow-max",
    "cooldown",
    "checks",
    "steps-per-day",
    "unknown",
)
VALUES = (
    *("true", "false", "deny", "keep", "Delete", "power-of-two"),
    *("80%", "5Gi", "80%,5Gi", "19.9%", "99.01%", "900%", "901%", "0%"),
    *("6h", "720h", "720h1s", "9999h", "0", "25", "11", "-1", "1h30m"),
)
OTHER_KEYS = ("example.org/note", "kubectl.kubernetes.io/last-applied-configuration", "a/b~c")
NAMES = ("data", "log", "a", "data-a", "0", "db-0", "")


def quantity(choices: Choices) -> str:
    """Return a text that is nearly always close to a quantity."""
    if choices.count(7) == 0:
        return choices.text()
    return choices.pick(NUMBERS) + choices.pick(SUFFIXES)


def value(choices: Choices) -> str:
    """Return the value of an annotation."""
    match choices.count(3):
        case 0:
            return choices.pick(VALUES)
        case 1:
            return choices.text()
        case _:
            return quantity(choices)


def annotations(choices: Choices) -> dict[str, str]:
    """Return annotations, most of them ours."""
    found = {}
    for _ in range(choices.count(5)):
        is_ours = choices.count(5) > 0
        key = PREFIX + choices.pick(KEYS) if is_ours else choices.pick(OTHER_KEYS)
        found[key] = value(choices)
    return found


def template(choices: Choices) -> dict[str, Any]:
    """Return a claim template, now and then an odd one."""
    storage = {"storage": quantity(choices)}
    made: dict[str, Any] = {
        "metadata": {"name": choices.pick(NAMES)},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": storage}},
    }
    match choices.count(15):
        case 0:
            del made["spec"]
        case 1:
            made["spec"]["resources"] = choices.pick(({}, None, {"requests": None}, []))
        case 2:
            made["spec"]["volumeMode"] = choices.pick(("Block", "Filesystem", "", 1))
        case 3:
            del made["metadata"]["name"]
    return made


def statefulset(choices: Choices) -> dict[str, Any]:
    """Return a set as it stands in a review."""
    metadata: dict[str, Any] = {"name": "db", "annotations": annotations(choices)}
    if choices.count(9) == 0:
        metadata["annotations"] = None
    if choices.count(9) == 0:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    templates = [template(choices) for _ in range(choices.count(3))]
    return {"metadata": metadata, "spec": {"replicas": 3, "volumeClaimTemplates": templates}}
