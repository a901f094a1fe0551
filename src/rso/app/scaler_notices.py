"""Tells people of the autoscaler: Events on the set, and one line in the log for each."""

import logging

from rso.app.log import Logger
from rso.app.scaler_metrics import ScalerMetrics
from rso.core.faults import Fault
from rso.core.judge import Change, Outcome
from rso.core.model import StatefulSet
from rso.core.names import Hold, Wished
from rso.kube.recorder import ObjectRef, Recorder

_WISHED = {
    Change.RAISE: Wished.RAISED,
    Change.LOWER: Wished.LOWERED,
    Change.WITHDRAW: Wished.WITHDRAWN,
}


class ScalerNotices:
    """The voice of one autoscaler: a step each time, what lasts once.

    After a restart what lasts is told once more; the Event then counts up.
    """

    def __init__(self, recorder: Recorder, metrics: ScalerMetrics) -> None:
        self.log = Logger(logging.getLogger(__name__))
        self._recorder = recorder
        self.metrics = metrics
        self._told: dict[tuple[str, str], str] = {}  # {(uid of the set, what): the last word}

    def about(self, statefulset: StatefulSet) -> Logger:
        """Return a logger whose lines name a set."""
        metadata = statefulset.metadata
        return self.log.bind(namespace=metadata.namespace, set=metadata.name, uid=metadata.uid)

    def wrote(self, statefulset: StatefulSet, outcome: Outcome) -> None:
        """Tell of a wish that was written."""
        reason = _WISHED[outcome.change]
        self.metrics.wrote(outcome.change)
        self.about(statefulset).info(
            "wish is written",
            template=outcome.name,
            change=outcome.change.value,
            size=outcome.size,
            why=outcome.sentence,
        )
        kind = "Normal" if outcome.change is Change.RAISE else "Warning"
        self._event(statefulset, kind, reason, outcome.sentence)

    def held(self, statefulset: StatefulSet, outcome: Outcome) -> None:
        """Tell why a full template gets no step, and not again before it was well."""
        told, hold = (statefulset.metadata.uid, outcome.name), outcome.hold
        if hold is None or hold is Hold.BELOW_THRESHOLD:
            # Only this ends what was told: a sample that is missing once must not repeat it.
            self._told.pop(told, None)
        elif outcome.sentence and self._told.get(told) != hold:
            self._told[told] = hold
            self._warn(statefulset, hold, outcome.sentence)

    def malformed(self, statefulset: StatefulSet, fault: Fault) -> None:
        """Tell that a set's annotations cannot be followed, once for each fault."""
        told = (statefulset.metadata.uid, "")
        if self._told.get(told) != fault.sentence:
            self._told[told] = fault.sentence
            self._warn(statefulset, fault.reason, fault.sentence)

    def well_formed(self, statefulset: StatefulSet) -> None:
        """Forget a fault that has been mended."""
        self._told.pop((statefulset.metadata.uid, ""), None)

    def keep_only(self, uids: set[str]) -> None:
        """Forget what was told of other sets."""
        self._told = {told: word for told, word in self._told.items() if told[0] in uids}

    def _warn(self, statefulset: StatefulSet, reason: str, sentence: str) -> None:
        self.about(statefulset).warning("set is not autoscaled", reason=reason, sentence=sentence)
        self._event(statefulset, "Warning", reason, sentence)

    def _event(self, statefulset: StatefulSet, kind: str, reason: str, sentence: str) -> None:
        metadata = statefulset.metadata
        about = ObjectRef(
            api_version="apps/v1",
            kind="StatefulSet",
            namespace=metadata.namespace,
            name=metadata.name,
            uid=metadata.uid,
            resource_version=metadata.resource_version,
        )
        self.metrics.event(reason)
        self._recorder.event(about, kind, reason, sentence)
