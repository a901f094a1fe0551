"""Plays many cases side by side: sets are made together, so that their Pods settle together."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from rso.app.keys import load_keys
from testbed.cluster import Cluster
from tests.support import oracles
from tests.support.evidence import Evidence
from tests.support.faults import Fault, Point, points
from tests.support.forms import end_state
from tests.support.scene import CANARY, Logs, Scene, Shape
from tests.support.sets import Json, Snapshot
from tests.support.wire import Sent

T = TypeVar("T")
R = TypeVar("R")
# The others tell of a set that lives at the end, or of its backup, which goes with a deleted one.
_ALSO_OF_THE_DELETED = (
    oracles.o5_one_delete,
    oracles.o6_backup_before_delete,
    oracles.o8_only_allowed_writes,
    oracles.o10_refusals_stop,
    oracles.o11_nothing_said,
)
SIDE_BY_SIDE = 8  # more would only wait for the machine's processors


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a case ended: `fired` says whether its fault came at all."""

    id: str
    fired: bool
    violations: tuple[str, ...]

    @property
    def result(self) -> str:
        """The word for the tally."""
        if not self.fired:
            return "not fired"
        return "failed" if self.violations else "survived"

    @property
    def did_not_come(self) -> bool:
        """Whether the fault's moment did not come, and nothing else was wrong."""
        return not self.fired and not self.violations

    @property
    def complaint(self) -> str:
        """What a person wants to read of a case that was not survived."""
        return f"{self.id}: {'; '.join(self.violations) or self.result}"


@dataclass(frozen=True, slots=True)
class Reference:
    """A run without a fault: its writes, its end, and what the oracles say against it."""

    points: list[Point]
    end: Json
    complaints: tuple[str, ...]


class Batch:
    """The scenes of one test."""

    def __init__(self, cluster: Cluster, key_dir: Path, logs: Logs) -> None:
        self.cluster = cluster
        self.key_dir = key_dir
        self._logs = logs
        self._lock = threading.Lock()
        self._scenes: list[Scene] = []

    def scenes(self, shape: Shape, count: int) -> list[Scene]:
        """Return new scenes whose sets are settled."""
        made = self.together([shape] * count, self._make)
        self.together(made, Scene.settle)
        return made

    def together(self, items: Iterable[T], act: Callable[[T], R]) -> list[R]:
        """Return what a function makes of each item, some at a time."""
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            return list(pool.map(act, items))

    def play_without_fault(self, scene: Scene) -> Reference:
        """Let one operator do everything undisturbed."""
        scene.wish()
        scene.finish()
        recorded = points(scene.operators[0].wire.changes())
        end = end_state(Snapshot.of(scene.sets, "db"))
        return Reference(recorded, end, self.judge(scene, None))

    def play(
        self,
        scene: Scene,
        reference: Reference,
        name: str,
        fault: Fault,
        **settings: Any,  # noqa: ANN401  of the operator that is struck
    ) -> Outcome:
        """Play one case to its rest, and judge it."""
        scene.wish()
        try:
            fired = scene.strike(fault, **settings)
            scene.finish()
            found = self.judge(scene, reference.end)
        except AssertionError as error:
            return Outcome(name, fault.fired.is_set(), (str(error),))
        return Outcome(name, fired, found)

    def judge(self, scene: Scene, reference: Json | None) -> tuple[str, ...]:
        """Return what the oracles say of a scene that is at rest, after ten more looks."""
        end = Snapshot.of(scene.sets, "db")
        resync = scene.resync().wire.sent
        return tuple(oracles.violations(self.evidence(scene, end, resync, reference)))

    def judge_deleted(self, scene: Scene) -> tuple[str, ...]:
        """Return what those oracles say that hold of a set which its user has deleted, too."""
        assert scene.initial is not None
        evidence = self.evidence(scene, scene.initial, [], None)
        return tuple(
            f"{oracle.__name__}: {sentence}"
            for oracle in _ALSO_OF_THE_DELETED
            for sentence in oracle(evidence)
        )

    def evidence(
        self, scene: Scene, end: Snapshot, resync: list[Sent], reference: Json | None
    ) -> Evidence:
        """Return what is known of a scene, with this as its end."""
        scene.history.catch_up()
        assert scene.initial is not None
        return Evidence(
            history=scene.history,
            initial=scene.initial,
            end=end,
            sizes=scene.shape.sizes,
            keys=load_keys(self.key_dir),
            runs=[operator.wire.sent for operator in scene.operators],
            resync=resync,
            canary=CANARY,
            said=self._said(scene),
            backups=scene.backups(),
            reference=reference,
        )

    def close(self) -> None:
        """End every scene."""
        self.together(self._scenes, Scene.close)

    def _make(self, shape: Shape) -> Scene:
        scene = Scene.make(self.cluster, shape, self.key_dir)
        with self._lock:
            self._scenes.append(scene)
        return scene

    def _said(self, scene: Scene) -> str:
        """Return all that operators said: log lines, metrics, Events and the status."""
        events = [f"{reason} {message}" for reason, message in scene.sets.events("db")]
        return "\n".join([*self._logs.lines, *scene.metrics, *events, scene.sets.status("db")])
