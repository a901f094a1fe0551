"""A resize that is refused: what is prepared, what is said, what is written, what ends it."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.cluster.looks import metric, reasons, writes
from tests.support.fixtures import Run
from tests.support.sets import Sets, Snapshot, check_unharmed, statefulset

NAME = "rso_blocked_statefulsets"
Prepare = Callable[[Sets], object]


def nothing(_: Sets) -> None:
    """Prepare or cure nothing."""


@dataclass(frozen=True)
class Refused:
    """One row of the table. `{here}` in the status is the test's namespace.

    `prepare` runs before the set is made, `forbid` after it; `cure` ends the state, in `end`.
    `grown` is how many claims grow although the rest is refused.
    """

    status: str
    cure: Prepare
    prepare: Prepare = nothing
    forbid: Prepare = nothing
    grown: int = 0
    end: str = "Done: data=2Gi"
    storage_class: str = "instant"

    @property
    def reason(self) -> str:
        """The word of the closed list."""
        return self.status.split(": ")[1]


def check_refused(sets: Sets, run: Run, row: Refused) -> None:
    """Run one row: told once, nothing deleted, Pods unharmed, and the cure ends it."""
    row.prepare(sets)
    storage_class = _here(row.storage_class, sets)
    sets.make(statefulset(replicas=2, storage_class=storage_class), settled=False)
    before = Snapshot.of(sets, "db")
    row.forbid(sets)

    with run() as operator:
        sets.annotate("db", resize_0="2Gi")
        head, reason, sentence = sets.wait_status("db", row.status[:12]).split(": ", 2)
        told = sets.wait_event("db", row.reason)
        written = writes(operator)
        uid = sets.get("db")["metadata"]["uid"]
        sets.wait(lambda: metric(operator, NAME, reason=row.reason) == 1, "it is counted")
        row.cure(sets)
        sets.wait(lambda: sets.status("db") == row.end, f"the status is {row.end}")
        sets.wait(lambda: metric(operator, NAME) == 0, "it is not counted any more")

    assert _here(row.status, sets) == f"{head}: {reason}: {sentence}"
    assert sentence == told
    assert [row.reason] == [each for each in reasons(sets, "db") if each == row.reason]
    assert head != "Blocked" or {"Warning"} == types(sets, row.reason)
    assert before.statefulset["metadata"]["uid"] == uid
    assert ["patch persistentvolumeclaims"] * row.grown == written
    check_unharmed(before, Snapshot.of(sets, "db"))


def types(sets: Sets, reason: str) -> set[str]:
    """Return the types of the Events with a reason."""
    found = sets.cluster.list("event", sets.namespace)
    return {each["type"] for each in found if each["reason"] == reason}


def _here(value: str, sets: Sets) -> str:
    return value.replace("{here}", sets.namespace)
