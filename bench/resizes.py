"""Makes sets, wishes for sizes, and reads from the watches how each resize went."""

import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from bench.summary import percentile, spread
from bench.watching import Sight, Watch, watching
from testbed.cluster import Cluster
from tests.support.sets import PREFIX, Sets, request_of, statefulset

TEMPLATE = "data"
RESIZE_SECONDS = 300.0


@dataclass(frozen=True)
class Resize:
    """One resize of one set; every time is monotonic, as it arrived at the bench.

    From `marked` (deletionTimestamp) no controller looks after the set; from `deleted` its name is
    free; from `recreated` it is there again; `done` says the operator.
    """

    wished: float
    patched: float
    grown: float
    marked: float
    deleted: float
    recreated: float
    done: float

    @property
    def absence(self) -> float:
        """Seconds without a set that a controller looks after."""
        return self.recreated - self.marked

    @property
    def volumes(self) -> float:
        """Seconds that only the volumes took: from the last patch to the last new capacity."""
        return max(self.grown - self.patched, 0.0)


class Scene:
    """Some sets in a namespace of their own, and watches of them and of their claims."""

    def __init__(self, cluster: Cluster, namespace: str, names: Sequence[str]) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._names = names

    def resize(self, size: str) -> list[Resize]:
        """Wish for a size of all sets at once; return how it went when all are done.

        Raises: TimeoutError.
        """
        with ExitStack() as stack:
            sets, claims = (
                stack.enter_context(watching(self._cluster, kind, self._namespace))
                for kind in ("statefulset", "pvc")
            )
            with ThreadPoolExecutor(8) as pool:
                wished = list(pool.map(lambda name: self._wish(name, size), self._names))
            self._wait_done(sets, size)
            return [
                _resize(name, size, at, sets.sights(), claims.sights())
                for name, at in zip(self._names, wished, strict=True)
            ]

    def _wish(self, name: str, size: str) -> float:
        at = time.monotonic()
        patch = {"metadata": {"annotations": {f"{PREFIX}resize-0": size}}}
        self._cluster.merge("statefulset", name, self._namespace, patch)
        return at

    def _wait_done(self, sets: Watch, size: str) -> None:
        deadline = time.monotonic() + RESIZE_SECONDS
        while {sight.name for sight in sets.sights() if _is_done(sight, size)} != set(self._names):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not every set reached {size}")
            time.sleep(0.1)


@contextmanager
def scene(cluster: Cluster, count: int) -> Iterator[Scene]:
    """Make sets of three Pods each, and return when all is quiet."""
    namespace = cluster.make_namespace()
    sets = Sets(cluster, namespace)
    names = [f"db-{number}" for number in range(count)]
    try:
        for name in names:
            cluster.apply(statefulset(name), namespace)
        for name in names:
            sets.wait(lambda name=name: sets.is_ready(name), f"set {name}", 120)  # type: ignore[misc]  # binds the name
        for name in names:
            sets.wait(lambda name=name: sets.is_settled(name), f"quiet of {name}")  # type: ignore[misc]  # likewise
        yield Scene(cluster, namespace, names)
    finally:
        cluster.delete("namespace", namespace)


def told(resizes: Sequence[Resize]) -> dict[str, Any]:
    """Return the seconds of many resizes in short."""
    return {
        "wish_to_patched_seconds": spread([each.patched - each.wished for each in resizes]),
        "wish_to_recreated_seconds": spread([each.recreated - each.wished for each in resizes]),
        "volumes_own_seconds": spread([each.volumes for each in resizes]),
        "wish_to_recreated_without_volumes_seconds": spread(
            [each.recreated - each.wished - each.volumes for each in resizes]
        ),
        "absence_seconds": spread([each.absence for each in resizes]),
        "name_free_seconds": spread([each.recreated - each.deleted for each in resizes]),
        "wish_to_done_seconds": spread([each.done - each.wished for each in resizes]),
    }


def median(values: Sequence[float]) -> float:
    """Return the median of seconds."""
    return round(statistics.median(values), 4)


def p99(values: Sequence[float]) -> float:
    """Return the 99th percentile of seconds."""
    return round(percentile(values, 99), 4)


def _is_done(sight: Sight, size: str) -> bool:
    annotations = sight.object["metadata"].get("annotations", {})
    return bool(annotations.get(f"{PREFIX}status") == f"Done: {TEMPLATE}={size}")


def _resize(
    name: str, size: str, wished: float, sets: Sequence[Sight], claims: Sequence[Sight]
) -> Resize:
    own = [sight for sight in sets if sight.name == name]
    owned = [each for each in claims if each.object["metadata"]["labels"].get("app") == name]
    deleted = next(each.at for each in own if each.type == "DELETED")
    return Resize(
        wished=wished,
        patched=_last_of_first([each for each in owned if request_of(each.object) == size]),
        grown=_last_of_first([each for each in owned if _capacity(each) == size]),
        marked=next(each.at for each in own if "deletionTimestamp" in each.object["metadata"]),
        deleted=deleted,
        recreated=next(each.at for each in own if each.type == "ADDED" and each.at >= deleted),
        done=next(each.at for each in own if _is_done(each, size)),
    )


def _last_of_first(sights: Sequence[Sight]) -> float:
    """Return when the last of several objects was first seen like this."""
    first: dict[str, float] = {}
    for each in sights:
        first.setdefault(each.name, each.at)
    return max(first.values())


def _capacity(sight: Sight) -> str:
    return str(sight.object.get("status", {}).get("capacity", {}).get("storage", ""))
