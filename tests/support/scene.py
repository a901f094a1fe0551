"""One fault case: namespaces of its own, one set, its history, and the operators it has had."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rso.app.log import TextFormatter
from rso.kube.transport import Request, Response
from testbed.cluster import Cluster
from testbed.process import BedError
from tests.support.faults import Fault
from tests.support.history import History
from tests.support.operators import Operator, settings_for
from tests.support.sets import Sets, Snapshot, statefulset

Json = dict[str, Any]
CANARY = "canary-4711-in-env-args-and-annotation"
RESYNCS = 10
REST_SECONDS = 240.0  # a loaded machine and a throttled controller manager


@dataclass(frozen=True, slots=True)
class Shape:
    """R replicas, T templates to grow; `when_deleted` Delete adds the Retain step."""

    replicas: int
    templates: int
    when_deleted: str = "Retain"

    @property
    def id(self) -> str:
        """The shape in a case's name."""
        ending = "D" if self.when_deleted == "Delete" else ""
        return f"R{self.replicas}T{self.templates}{ending}"

    @property
    def essential_writes(self) -> int:
        """W of safety.md: one patch for each claim, and five."""
        return self.replicas * self.templates + 5

    @property
    def sizes(self) -> dict[str, str]:
        """The wished size of each template."""
        return dict.fromkeys(("data", "log")[: self.templates], "2Gi")

    def manifest(self, owner: Json) -> Json:
        """Return the set, with a canary where people have secrets."""
        policy = {"whenDeleted": self.when_deleted, "whenScaled": "Retain"}
        made = statefulset(
            replicas=self.replicas,
            sizes=dict.fromkeys(self.sizes, "1Gi"),
            annotations={"example.org/note": CANARY},
            persistentVolumeClaimRetentionPolicy=policy,
        )
        container = made["spec"]["template"]["spec"]["containers"][0]
        container |= {"env": [{"name": "PASSWORD", "value": CANARY}], "args": [CANARY]}
        made["metadata"] |= {"labels": {"team": "blue"}, "ownerReferences": [owner]}
        return made


class Logs(logging.Handler):
    """Keeps the lines of all operators of a test."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(TextFormatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self.lines.append(self.format(record))


@contextlib.contextmanager
def kept_logs() -> Iterator[Logs]:
    """Keep every line that the product writes."""
    logs, logger = Logs(), logging.getLogger("rso")
    level = logger.level
    logger.addHandler(logs)
    logger.setLevel(logging.DEBUG)
    try:
        yield logs
    finally:
        logger.removeHandler(logs)
        logger.setLevel(level)


@dataclass
class Scene:
    """A set called `db` and what has happened to it."""

    cluster: Cluster
    shape: Shape
    namespace: str
    operator_namespace: str
    key_dir: Path
    history: History
    operators: list[Operator] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    initial: Snapshot | None = None

    @classmethod
    def make(cls, cluster: Cluster, shape: Shape, key_dir: Path) -> "Scene":
        """Begin to record, and create the set; it is not settled yet."""
        namespace, operator_namespace = cluster.make_namespace(), cluster.make_namespace()
        history = History(cluster, namespace, operator_namespace).start()
        scene = cls(cluster, shape, namespace, operator_namespace, key_dir, history)
        cluster.apply(shape.manifest(scene._owner()), namespace)
        return scene

    @property
    def sets(self) -> Sets:
        """The objects of the workload's namespace."""
        return Sets(self.cluster, self.namespace)

    def settle(self) -> None:
        """Return when the set is quiet; from here on its state counts as the initial one."""
        self.sets.wait(lambda: self.sets.is_ready("db"), "the set is ready", REST_SECONDS)
        self.sets.wait(lambda: self.sets.is_settled("db"), "its Pods are quiet")
        self.initial = Snapshot.of(self.sets, "db")

    def wish(self) -> None:
        """Wish for more in every template."""
        wishes = {f"resize_{index}": size for index, size in enumerate(self.shape.sizes.values())}
        self.sets.annotate("db", **wishes)

    def operator(
        self,
        before: Callable[[Request], None] | None = None,
        after: Callable[[Request, Response], None] | None = None,
        **settings: Any,  # noqa: ANN401  any setting of an operator
    ) -> Operator:
        """Return another operator of this case, not started."""
        told = settings_for(self.cluster, self.operator_namespace, self.key_dir, **settings)
        operator = Operator(self.cluster, told, self.namespace, before, after)
        self.operators.append(operator)
        return operator

    def strike(self, fault: Fault, **settings: Any) -> bool:  # noqa: ANN401  as operator
        """Run an operator until the fault has struck, then end it; return whether it struck."""
        operator = self.operator(before=fault.before, after=fault.after, **settings)
        fault.wire = operator.wire
        operator.start()
        try:
            self.wait(lambda: self._is_over(fault), "the fault or the end")
            if not fault.fired.is_set():
                operator.stop()  # the answer of its last write may still be under way
        finally:
            operator.kill()
        return fault.fired.is_set()

    def finish(self, **settings: Any) -> None:  # noqa: ANN401  as operator
        """Let another instance take over, and wait until it has brought everything to its end."""
        operator = self.operator(**settings).start()
        try:
            self.wait(self.is_at_rest, "everything is at rest")
        finally:
            self._end(operator)

    def resync(self) -> Operator:
        """Let a fresh operator look ten times more, each time because of somebody's write."""
        operator = self.operator().start()
        try:
            for count in range(RESYNCS):
                self._look_again(operator, count)
        finally:
            self._end(operator)
        return operator

    def _is_over(self, fault: Fault) -> bool:
        is_struck = fault.fired.is_set() and not fault.is_survivable
        return is_struck or self.is_at_rest()

    def _look_again(self, operator: Operator, count: int) -> None:
        seen = operator.looks
        self._touch(count)
        self.wait(lambda: operator.looks > seen, "the set is looked at")

    def is_done(self) -> bool:
        """Return whether the status says that the wish is fulfilled."""
        return self.sets.status("db").startswith("Done")

    def is_at_rest(self) -> bool:
        """Return whether the wish is fulfilled, no backup is left, and each claim is adopted."""
        return self.is_done() and not self.backups() and self._is_adopted()

    def backups(self) -> list[Json]:
        """Return the backups that exist."""
        labels = "app.kubernetes.io/component=backup"
        return self.cluster.list("configmap", self.operator_namespace, labels)

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Return when the condition holds.

        Raises: AssertionError, with what the set says.
        """
        try:
            # A connection that the server drops is no answer: it is asked again.
            self.cluster.wait(condition, REST_SECONDS, what)
        except BedError as error:
            raise AssertionError(f"{error}: {self._state()}") from error

    def close(self) -> None:
        """End what still runs, and have done with the namespaces."""
        for operator in self.operators:
            operator.kill()
        self.history.stop()
        for namespace in (self.namespace, self.operator_namespace):
            self.cluster.leave_namespace(namespace)

    def _end(self, operator: Operator) -> None:
        if operator.resizer is not None:
            self.metrics.append(operator.resizer.metrics.render().decode())
        operator.stop()

    def _owner(self) -> Json:
        config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}}
        made = self.cluster.apply(config_map, self.namespace)
        uid = made["metadata"]["uid"]
        return {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}

    def _state(self) -> str:
        backups = [each["metadata"] | each["data"] for each in self.backups()]
        return f"status {self.sets.status('db')!r}, set {self.sets.get('db')}, backups {backups}"

    def _is_adopted(self) -> bool:
        """Return whether each claim names the set that lives, if the policy asks for that."""
        if self.shape.when_deleted != "Delete":
            return True
        uid = self.sets.get("db")["metadata"]["uid"]
        owners = [each["metadata"].get("ownerReferences") for each in self.sets.claims().values()]
        return all(each and [uid] == [owner["uid"] for owner in each] for each in owners)

    def _touch(self, count: int) -> None:
        annotations = {"example.org/touched": str(count) if count < RESYNCS - 1 else None}
        self.cluster.merge(
            "statefulset", "db", self.namespace, {"metadata": {"annotations": annotations}}
        )
