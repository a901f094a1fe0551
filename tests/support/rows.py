"""What holds after every row of the table, checked where its operator runs: no test can forget it.

When an operator that lives is about to end, each set that the test's first operator found is
there as it was but for sizes, with the same Pods and claims; every set is whole; no backup is left;
and more looks write nothing. A row whose own text says otherwise names what it changes by the
marker `changes`, with words of PARTS.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

import pytest

from tests.support.operators import Operator
from tests.support.sets import (
    PREFIX,
    Json,
    Sets,
    Snapshot,
    check_claims_kept,
    check_pods_kept,
    without_sizes,
)

PARTS = frozenset({"set", "spec", "pods", "backups", "looks"})
LOOKS = 2
_BACKUPS = "app.kubernetes.io/component=backup"
_ACTIVE = f"{_BACKUPS},{PREFIX}phase!=superseded"
_TOUCHED = "example.com/touched"


@dataclass(frozen=True)
class Row:
    """The check around the operators of a test.

    `changed` are the PARTS that the row itself changes. `first` is {set: as it was found first}: an
    operator that takes over is judged by what the one before it had found.
    """

    sets: Sets
    operator_namespace: str
    changed: frozenset[str] = frozenset()
    first: dict[str, Snapshot] = field(default_factory=dict)

    @classmethod
    def of(cls, request: pytest.FixtureRequest, sets: Sets, operator_namespace: str) -> "Row":
        """Return the check of a test, as its marker says."""
        marker = request.node.get_closest_marker("changes")
        changed = frozenset(marker.args if marker else ())
        assert changed <= PARTS, f"the marker knows {sorted(PARTS)}"
        return cls(sets, operator_namespace, changed)

    @contextmanager
    def around(self, running: AbstractContextManager[Operator]) -> Iterator[Operator]:
        """Run an operator; check at its end, unless the test has failed or has ended it itself."""
        for name in self._names():
            if name not in self.first:
                self.first[name] = Snapshot.of(self.sets, name)
        with running as operator:
            yield operator
            if operator.is_alive and not operator.wire.is_dead:
                self.check(operator)

    def check(self, operator: Operator) -> None:
        """Check what holds after every row.

        Raises: AssertionError, or BedError for what does not come to rest.
        """
        if "set" not in self.changed:
            for name in {*self.first, *self._names()}:
                self._check_set(name)
        if "backups" not in self.changed:
            self.sets.wait(lambda: not self._backups(), "no backup is left")
        if "looks" not in self.changed and operator.is_leader:
            self._check_looks(operator)

    def _check_set(self, name: str) -> None:
        self.sets.wait(lambda: self._is_whole(name), f"set {name} lives and owns what is its own")
        before, after = self.first.get(name), Snapshot.of(self.sets, name)
        if before is None:
            return
        if "spec" not in self.changed:
            assert _kept(before.statefulset) == _kept(after.statefulset)
        if "pods" not in self.changed:
            check_pods_kept(before, after)
        check_claims_kept(before, after)

    def _is_whole(self, name: str) -> bool:
        found = self.sets.find(name)
        if found is None or "deletionTimestamp" in found["metadata"]:
            return False
        uid = found["metadata"]["uid"]
        pods = [_owners(pod) for pod in self.sets.pods(name).values()]
        claims = [_owners(claim, name) for claim in self.sets.claims().values()]
        owns_pods = "pods" in self.changed or all(each == [uid] for each in pods)
        return owns_pods and all(each in ([], [uid]) for each in claims)

    def _check_looks(self, operator: Operator) -> None:
        """Have each set looked at again, because of somebody's write."""
        written = len(operator.wire.changes())
        for name in self._names():
            # A set with none of our annotations is not looked at.
            if PREFIX not in str(self.sets.get(name)["metadata"].get("annotations")):
                continue
            for count in range(LOOKS):
                self._look(operator, name, str(count) if count < LOOKS - 1 else None)
        words = [sent.words for sent in operator.wire.changes()[written:]]
        assert [] == words, "a look at a set that is at rest writes"

    def _look(self, operator: Operator, name: str, value: str | None) -> None:
        before = operator.looks
        patch = {"metadata": {"annotations": {_TOUCHED: value}}}
        self.sets.cluster.merge("statefulset", name, self.sets.namespace, patch)
        self.sets.wait(lambda: operator.looks > before, f"{name} is looked at")

    def _names(self) -> list[str]:
        found = self.sets.cluster.list("statefulset", self.sets.namespace)
        return [each["metadata"]["name"] for each in found]

    def _backups(self) -> list[str]:
        found = self.sets.cluster.list("configmap", self.operator_namespace, _ACTIVE)
        return [each["metadata"]["name"] for each in found]


def _owners(child: Json, name: str | None = None) -> list[str]:
    """Return the uids of the owners of a Pod or claim; with a name, of the sets called so."""
    return [
        owner["uid"]
        for owner in child["metadata"].get("ownerReferences", [])
        if name is None or (owner["kind"], owner["name"]) == ("StatefulSet", name)
    ]


def _kept(found: Json) -> Json:
    """Return what must be equal, as it is without a recreate that is under way or our looks."""
    kept = without_sizes(found)
    metadata, spec = kept["metadata"], kept["spec"]
    metadata["annotations"].pop(_TOUCHED, None)
    finalizers = [each for each in metadata["finalizers"] or [] if each != "orphan"]
    metadata["finalizers"] = finalizers
    annotations = found["metadata"].get("annotations", {})
    policy = spec["persistentVolumeClaimRetentionPolicy"]
    policy["whenDeleted"] = annotations.get(f"{PREFIX}when-deleted", policy["whenDeleted"])
    return kept
