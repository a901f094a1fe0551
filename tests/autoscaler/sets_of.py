"""Sets that are auto-scaled: how tests write and read them."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from testbed.process import BedError
from tests.support.sets import PREFIX, Json, Sets, statefulset

MADE_SECONDS = 180.0  # many sets at once, with a controller manager that others use, too
WISH_SECONDS = 60.0  # some looks of a fifth of a second, on a loaded machine


def scaled(
    name: str = "db",
    sizes: Mapping[str, str] | None = None,
    *,
    replicas: int = 1,
    storage_class: str = "instant",
    policy: Mapping[str, str] | None = None,
) -> Json:
    """Return an auto-scaled set; `policy` has annotations without the prefix."""
    annotations = {"auto-scaled": "true", **(policy or {})}
    return statefulset(
        name,
        replicas=replicas,
        sizes=sizes,
        storage_class=storage_class,
        annotations={PREFIX + key: text for key, text in annotations.items()},
    )


def make_all(sets: Sets, manifests: list[Json]) -> None:
    """Create sets side by side, and return when each has its Pods and claims."""
    for each in manifests:
        sets.cluster.apply(each, sets.namespace)
    for each in manifests:
        name = each["metadata"]["name"]
        sets.wait(partial(sets.is_ready, name), f"set {name} is ready", MADE_SECONDS)


def own(found: Json) -> dict[str, str]:
    """Return our annotations of an object, without the prefix."""
    annotations: dict[str, Any] = found["metadata"].get("annotations", {})
    return {k.removeprefix(PREFIX): v for k, v in annotations.items() if k.startswith(PREFIX)}


def wishes(sets: Sets) -> dict[str, str]:
    """Return {set: the autoscaler's wish for its first template} of all that have one."""
    found = {
        each["metadata"]["name"]: own(each).get("auto-resize-0", "")
        for each in sets.cluster.list("statefulset", sets.namespace)
    }
    return {name: wish for name, wish in found.items() if wish}


def wait_wishes(sets: Sets, expected: Mapping[str, str]) -> None:
    """Return when these are the wishes of all sets.

    Raises: AssertionError, with the difference.
    """
    try:
        sets.wait(lambda: wishes(sets) == expected, "the wishes are there", WISH_SECONDS)
    except BedError as error:
        found = wishes(sets).items()
        missing, wrong = expected.items() - found, found - expected.items()
        raise AssertionError(f"missing {sorted(missing)}, instead {sorted(wrong)}") from error


def wish(sets: Sets, index: int = 0) -> str:
    """Return the autoscaler's wish for a template of `db`; empty without one."""
    return own(sets.get("db")).get(f"auto-resize-{index}", "")
