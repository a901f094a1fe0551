"""What is known about one case, and what its operators did."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from rso.app.backup import Keys
from tests.support.history import SETS, History, State
from tests.support.sets import Snapshot
from tests.support.wire import Sent

Json = dict[str, Any]


@dataclass(frozen=True)
class Evidence:
    """What is known about one case.

    `runs` holds the requests of each operator; `resync` those of the last, which had nothing to
    do. `reference` is the end of the run without a fault; None: this is that run.
    """

    history: History
    initial: Snapshot
    end: Snapshot
    sizes: dict[str, str]
    keys: Keys
    runs: list[list[Sent]]
    resync: list[Sent]
    canary: str
    said: str
    backups: list[Json]
    reference: Json | None = None


def deletes(case: Evidence) -> Iterator[State]:
    """Yield the first state of the set after each accepted DELETE of an operator."""
    answers = [
        json.loads(sent.answer)
        for sent in accepted(case)
        if is_of_set(sent) and sent.request.verb == "delete"
    ]
    for answer in answers:
        # The set itself while a finalizer holds it, else a Status.
        uid = answer["metadata"].get("uid") or answer.get("details", {}).get("uid")
        going = (each for each in case.history.of(SETS) if each.uid == uid and each.is_deleting)
        yield from itertools.islice(going, 1)


def longest_absence(history: History) -> float:
    """Return the seconds for which the set was away at most, as the watch saw it."""
    longest = 0.0
    for old, new in pairwise(history.of(SETS)):
        if old.is_gone and not new.is_gone:
            longest = max(longest, new.seen_at - old.seen_at)
    return longest


def changes(case: Evidence) -> Iterator[Sent]:
    """Yield every changing request of the operators."""
    return (sent for run in case.runs for sent in run if sent.request.changes)


def accepted(case: Evidence) -> list[Sent]:
    """Return the changing requests that the server accepted."""
    return [sent for sent in changes(case) if sent.is_accepted]


def is_of_set(sent: Sent) -> bool:
    """Return whether a request is about a StatefulSet."""
    return sent.request.resource.plural == "statefulsets"
