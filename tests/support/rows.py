"""What holds after every row of the table, checked where its operator runs: no test can forget it.

When an operator that lives is about to end, each set that it found is there as it was but for
sizes, with the same Pods and claims; no backup is left; and more looks write nothing. A row whose
own text says otherwise names what it changes by the marker `changes`, with words of PARTS.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pytest
from prometheus_client.parser import text_string_to_metric_families

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

PARTS = frozenset({"set", "spec", "pods", "claims", "backups", "looks"})
LOOKS = 2
_BACKUPS = "app.kubernetes.io/component=backup"
_ACTIVE = f"{_BACKUPS},{PREFIX}phase!=superseded"
_TOUCHED = "example.com/touched"


@dataclass(frozen=True)
class Row:
    """The check around one operator; `changed` are the PARTS that the row itself changes."""

    sets: Sets
    operator_namespace: str
    changed: frozenset[str] = frozenset()

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
        before = {name: Snapshot.of(self.sets, name) for name in self._names()}
        with running as operator:
            yield operator
            if operator.is_alive and not operator.wire.is_dead:
                self.check(operator, before)

    def check(self, operator: Operator, before: Mapping[str, Snapshot]) -> None:
        """Check what holds after every row.

        Raises: AssertionError, or BedError for what does not come to rest.
        """
        if "set" not in self.changed:
            for name, snapshot in before.items():
                self._check_set(name, snapshot)
        if "backups" not in self.changed:
            self.sets.wait(lambda: not self._backups(), "no backup is left")
        if "looks" not in self.changed and works(operator):
            self._check_looks(operator)

    def _check_set(self, name: str, before: Snapshot) -> None:
        self.sets.wait(lambda: self._is_whole(name), f"set {name} lives and owns its Pods")
        after = Snapshot.of(self.sets, name)
        if "spec" not in self.changed:
            assert _kept(before.statefulset) == _kept(after.statefulset)
        if "pods" not in self.changed:
            check_pods_kept(before, after)
        if "claims" not in self.changed:
            check_claims_kept(before, after)

    def _is_whole(self, name: str) -> bool:
        found = self.sets.find(name)
        if found is None or "deletionTimestamp" in found["metadata"]:
            return False
        owners = [
            [owner["uid"] for owner in pod["metadata"].get("ownerReferences", [])]
            for pod in self.sets.pods(name).values()
        ]
        return "pods" in self.changed or all(each == [found["metadata"]["uid"]] for each in owners)

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
        before = looks(operator)
        patch = {"metadata": {"annotations": {_TOUCHED: value}}}
        self.sets.cluster.merge("statefulset", name, self.sets.namespace, patch)
        self.sets.wait(lambda: looks(operator) > before, f"{name} is looked at")

    def _names(self) -> list[str]:
        found = self.sets.cluster.list("statefulset", self.sets.namespace)
        return [each["metadata"]["name"] for each in found]

    def _backups(self) -> list[str]:
        found = self.sets.cluster.list("configmap", self.operator_namespace, _ACTIVE)
        return [each["metadata"]["name"] for each in found]


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


def looks(operator: Operator) -> float:
    """Return how often an operator has finished a look at a set."""
    return _sum(operator, "rso_reconciles_total")


def works(operator: Operator) -> bool:
    """Return whether an operator is no mere standby."""
    return _sum(operator, "rso_leader") == 1


def _sum(operator: Operator, name: str) -> float:
    assert operator.resizer is not None
    text = operator.resizer.metrics.render().decode()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    )
