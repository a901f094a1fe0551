"""Tells people: Events on the set, and one line in the log for each thing done or refused."""

import logging
import re
from contextvars import ContextVar

from rso.app.log import Logger
from rso.app.metrics import Metrics
from rso.core.actions import Blocked, SetStatus
from rso.core.names import Note, Reason
from rso.core.world import Key, World
from rso.kube.errors import ApiError
from rso.kube.recorder import ObjectRef, Recorder

# The words of Kubernetes' RBAC authorizer: names of kinds only.
_MISSING_RIGHT = re.compile(
    r"cannot [a-z]+ resource \"[a-z./]+\" in API group \"[a-z0-9.]*\"", re.ASCII
)
_WARNINGS = frozenset({Note.PODS_CHANGED, Note.NAMESPACE_GONE, Note.STALE_REFERENCE})

# Only from these a set becomes bigger; a withdrawn mistake is no resize.
_WORKING = ("Growing", f"Waiting: {Reason.UNBOUND}")


class Notices:
    """The voice of one resizer. Nothing of a set but its identity is ever said (safety O11)."""

    def __init__(self, recorder: Recorder, metrics: Metrics, log: Logger | None = None) -> None:
        self._recorder = recorder
        self.metrics = metrics
        self.log = log or Logger(logging.getLogger(__name__))
        # Of the task: what a reconcile starts has its fields too, and nothing must be forgotten.
        self._reconcile: ContextVar[tuple[Key, dict[str, object]] | None] = ContextVar(
            "reconcile", default=None
        )
        self._told: dict[Key, str] = {}
        self._blocked: dict[Key, Blocked] = {}

    def begin(self, key: Key, **fields: object) -> None:
        """Begin a reconcile: these fields stand in each of its lines."""
        self._reconcile.set((key, fields))

    def forget(self, key: Key) -> None:
        """Forget a set that is gone."""
        self._told.pop(key, None)
        self.goes_on(key)

    def named(self, key: Key, **fields: object) -> Logger:
        """Return a logger whose lines name the set and the reconcile."""
        of, begun = self._reconcile.get() or (key, {})
        begun = begun if of == key else {}
        return self.log.bind(namespace=key.namespace, set=key.name, **{**begun, **fields})

    def about(self, world: World, **fields: object) -> Logger:
        """Return a logger whose lines name the set, its uid and the reconcile."""
        uid = world.statefulset.metadata.uid if world.statefulset else ""
        return self.named(world.key, uid=uid, **fields)

    def status(self, world: World, step: SetStatus) -> None:
        """Tell a new status as an Event: its word and its sentence."""
        head, _, rest = step.text.partition(": ")
        if head in ("Blocked", "Waiting"):
            word, _, sentence = rest.partition(": ")
            kind = "Warning" if head == "Blocked" else "Normal"
            self.event(world, kind, Reason(word), sentence)
        elif head == "Growing":
            self.event(world, "Normal", Note.GROWING, rest)
        elif head == "Done" and world.status.startswith(_WORKING):
            self.event(world, "Normal", Note.RESIZED, rest)

    def note(self, world: World, note: Note | Reason, sentence: str) -> None:
        """Tell a step or a surprise."""
        is_warning = isinstance(note, Reason) or note in _WARNINGS
        self.event(world, "Warning" if is_warning else "Normal", note, sentence)

    def once(self, world: World, note: Note, sentence: str) -> None:
        """Tell a surprise that lasts, and not again until it is another one."""
        if self._told.get(world.key) != sentence:
            self._told[world.key] = sentence
            self.note(world, note, sentence)
            self.about(world).warning("something unexpected", note=note, sentence=sentence)

    def blocked(self, world: World, decision: Blocked) -> None:
        """Log why a set does not go on, and not again until it is for another reason."""
        if self._blocked.get(world.key) != decision:
            self._blocked[world.key] = decision
            log = self.about(world)
            log.warning("set is blocked", reason=decision.reason, sentence=decision.sentence)

    def goes_on(self, key: Key) -> None:
        """Forget why a set did not go on."""
        self._blocked.pop(key, None)

    def event(self, world: World, kind: str, reason: Reason | Note, sentence: str) -> None:
        """Record an Event about the set, also one that is absent."""
        self.metrics.event(reason)
        self._recorder.event(_reference(world), kind, reason, sentence)


def said(error: Exception) -> str:
    """Return an error for the log: of a refusal its kind, and a right that is missing.

    A refusal's message may quote the object, and nothing of a set is logged (safety O11).
    """
    kind = type(error).__name__
    if not isinstance(error, ApiError):
        return f"{kind}: {error}"
    missing = _MISSING_RIGHT.search(error.message)
    return f"{kind}: {error.code} {error.reason}" + (f": {missing[0]}" if missing else "")


def _reference(world: World) -> ObjectRef:
    key: Key = world.key
    metadata = world.statefulset.metadata if world.statefulset else None
    backup_uid = next((each.statefulset_uid for each in world.backups), "")
    return ObjectRef(
        api_version="apps/v1",
        kind="StatefulSet",
        namespace=key.namespace,
        name=key.name,
        uid=metadata.uid if metadata else backup_uid,
        resource_version=metadata.resource_version if metadata else "",
    )
