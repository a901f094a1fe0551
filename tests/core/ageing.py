"""A set that ages at random: the truth, what the sources say of it, and what the autoscaler does.

The rules are checked against the truth of this model, never by the code that is tested.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from msgspec.structs import replace

from rso.core.autoscale import Usage, decide
from rso.core.faults import Fault
from rso.core.judge import Change, Limits, Outcome
from rso.core.names import PREFIX
from rso.core.quantity import format_bytes, read_bytes
from rso.core.settling import Seen, seen
from rso.core.times import format_time
from rso.core.usage import Sample
from tests.factories import BOUNDS, GIB, NOW, Json, claim, own, statefulset

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(hours=24)
LIMITS = Limits(BOUNDS)
KEPT = 6  # samples of a claim


@dataclass
class Disk:
    """One claim as it really is; `seen` are its samples, and whether each tells the truth."""

    name: str
    request: int
    capacity: int
    used: float = 0.0
    state: str = ""
    grown_at: datetime | None = None
    generation: int = 0
    seen: list[tuple[Sample, bool, int]] = field(default_factory=list)
    looked: Seen | None = None

    @property
    def is_quiet(self) -> bool:
        return not self.state and self.request <= self.capacity


class Ageing:
    """One course; `violations` says which rules were broken, and when."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311  a course that can be repeated
        pick = self._random.choice
        size = pick([1, 10, 63, 64, 500]) * GIB
        self._template = size
        self._disks = [Disk(f"data-db-{n}", size, size, size * 0.5) for n in range(3)]
        self._policy = {
            "grow-by": pick(["power-of-two", "25%", "10Gi"]),
            "cooldown": pick(["0", "1h", "6h"]),
            "steps-per-day": pick(["1", "4", "24"]),
            "checks": pick(["1", "2", "3"]),
            "max-size": format_bytes(size * pick([3, 9, 100])),
        }
        self._annotations: dict[str, str] = {}
        self._truth = NOW
        self._offset = timedelta(0)
        self._raised: list[datetime] = []
        self._storage_most = size * pick([2, 30, 10**6])
        self.steps = 0
        self.violations: list[str] = []

    @property
    def _now(self) -> datetime:
        """What the operator's clock says."""
        return self._truth + self._offset

    def run(self, count: int) -> None:
        """Let so many things happen."""
        for _ in range(count):
            self._happen()
            self._decide()

    def _happen(self) -> None:
        chance = self._random.random()
        self._truth += MINUTE * self._random.choice([1, 1, 1, 1, 2, 30])
        for disk in self._disks:
            self._write(disk)
            self._sample(disk)
        self._resize()
        if chance < 0.01:
            self._offset = HOUR * self._random.choice([0, 0, 0, -3, 3, -30, 30])
        elif chance < 0.02:
            for disk in self._disks:  # a restart
                disk.looked = None
                disk.seen.clear()
        elif chance < 0.025:
            self._policy["max-size"] = format_bytes(
                self._template * self._random.choice([1, 2, 10, 100, 1000])
            )
        elif chance < 0.03:
            self._again()

    def _again(self) -> None:
        """Begin anew with small claims, so that a course does not end at its bound."""
        self._annotations.pop(f"{PREFIX}auto-resize-0", None)
        for disk in self._disks:
            disk.request = disk.capacity = self._template
            disk.used, disk.state, disk.grown_at = 0.5 * disk.capacity, "", None
            disk.generation += 1
            disk.looked = None
            disk.seen.clear()

    def _write(self, disk: Disk) -> None:
        rate = self._random.choice([0, 0, 0.001, 0.01, 0.03, 0.1, -0.1])
        disk.used = min(max(disk.used + rate * disk.capacity, 0), disk.capacity)

    def _sample(self, disk: Disk) -> None:
        """Note what a source says: mostly the truth, sometimes late, sometimes nonsense."""
        if self._random.random() < 0.1:
            return
        size = float(disk.capacity)
        used = float(int(disk.used))
        uid = f"uid-{disk.name}"
        found = Sample(uid, self._now - timedelta(seconds=10), size, used, size - used)
        if disk.seen and self._random.random() < 0.05:
            disk.seen.append(disk.seen[-1])  # cached
        elif self._random.random() < 0.1:
            lie = self._lie(found)
            # Amounts that are true stay true, though they come at a wrong time.
            disk.seen.append((lie, lie == replace(found, taken_at=lie.taken_at), disk.generation))
        else:
            disk.seen.append((found, True, disk.generation))
        del disk.seen[:-KEPT]

    def _lie(self, found: Sample) -> Sample:
        uid, at, size = found.claim_uid, found.taken_at, found.capacity_bytes
        lies = [
            Sample("other", at, size, size, 0.0),
            Sample(uid, at, float("nan"), size, 0.0),
            Sample(uid, at, size, float("inf"), 0.0),
            Sample(uid, at, size, size * 1.01, 0.0),
            Sample(uid, at, size, -1.0, 0.0),
            Sample(uid, at, size, 0.0, 0.0),
            Sample(uid, at, size * 0.5, size * 0.5, 0.0),
            Sample(uid, at, size * 2, size * 2, 0.0),
            replace(found, taken_at=at + HOUR),
            replace(found, taken_at=at - HOUR),
            Sample(uid, at, 0.0, 0.0, 0.0),
        ]
        return self._random.choice(lies)

    def _resize(self) -> None:
        """Let the resizer and the storage do their part, or only some of it."""
        wish = read_bytes(self._annotations.get(f"{PREFIX}auto-resize-0", "0"))
        for disk in self._disks:
            if self._random.random() < 0.5:
                continue
            is_lowered = disk.state == "Infeasible" and disk.capacity < wish < disk.request
            if wish > disk.request or is_lowered:
                disk.request, disk.grown_at, disk.state = wish, self._now, "Asked"
            elif disk.request > disk.capacity:
                self._expand(disk)

    def _expand(self, disk: Disk) -> None:
        if disk.request > self._storage_most:
            disk.state = "Infeasible"
        elif disk.state == "Pending":
            disk.state, disk.capacity = "", disk.request
            disk.generation += 1
        else:
            disk.state = "Pending"

    def _decide(self) -> None:
        bound = read_bytes(self._policy["max-size"])
        found = statefulset(
            {"auto-scaled": "true", **self._policy}, {"data": format_bytes(self._template)}
        )
        found.metadata.annotations.update(self._annotations)
        usages = [self._usage(disk) for disk in self._disks]
        result = decide(found, usages, LIMITS, self._now)
        if isinstance(result, Fault):
            self.violations.append(f"{self._truth}: {result.sentence}")
            return
        outcome = result.outcomes[0]
        if self._random.random() < 0.1:
            return  # somebody was faster: 409
        for key, text in result.annotations.items():
            if text is None:
                self._annotations.pop(key, None)
            else:
                self._annotations[key] = text
        if outcome.change is Change.RAISE:
            self._check_step(outcome, min(bound, 2000 * GIB))
        elif outcome.change is Change.LOWER:
            self._check_lowered(outcome)

    def _usage(self, disk: Disk) -> Usage:
        resizing = {"Asked": "", "Infeasible": "ControllerResizeInfeasible"}
        state = resizing.get(disk.state, disk.state and "NodeResizePending")
        status: Json = {
            "allocatedResourceStatuses": {"storage": state} if state else None,
            "allocatedResources": {"storage": format_bytes(disk.request)},
        }
        grown = own({"grown-at": format_time(disk.grown_at)}) if disk.grown_at else {}
        made = claim(
            disk.name,
            format_bytes(disk.request),
            format_bytes(disk.capacity),
            metadata={"annotations": grown},
            status=status,
        )
        disk.looked = seen(disk.looked, made, self._now)
        samples = tuple(each for each, _, _ in disk.seen)
        quiet_since = None if disk.looked.is_growing else disk.looked.since
        return Usage(made, samples, quiet_since=quiet_since)

    def _check_step(self, outcome: Outcome, bound: int) -> None:
        self.steps += 1
        size = read_bytes(outcome.size)
        largest = max(max(disk.request, disk.capacity) for disk in self._disks)
        self._check("smaller", size > largest)
        self._check("past the bound", size <= bound)
        self._check("too far", size <= 10 * largest)
        self._check("in flight", all(disk.is_quiet for disk in self._disks))
        self._check("not full", any(self._may_drive(disk) for disk in self._disks))
        self._check("in the cooldown", self._is_cool() or self._is_urgent())
        self._raised = [*self._raised, self._now]
        recent = [each for each in self._raised if each > self._now or self._now - each < DAY]
        self._check("too many", len(recent) <= int(self._policy["steps-per-day"]))

    def _check_lowered(self, outcome: Outcome) -> None:
        size, bound = read_bytes(outcome.size), read_bytes(self._policy["max-size"])
        refused = [disk.capacity for disk in self._disks if disk.state == "Infeasible"]
        self._check("never feasible", size == bound or size > max(refused, default=size))

    def _may_drive(self, disk: Disk) -> bool:
        """Return whether the newest sample is true, of the volume as it is, and over 80 %."""
        if not disk.seen:
            return False
        found, is_true, generation = disk.seen[-1]
        is_now = -LIMITS.max_age_seconds <= (found.taken_at - self._now).total_seconds() <= 30
        is_full = found.available_bytes <= found.capacity_bytes * 0.2 + 1
        return is_true and is_now and generation == disk.generation and is_full

    def _is_urgent(self) -> bool:
        for disk in self._disks:
            if not self._may_drive(disk):
                continue
            newest = disk.seen[-1][0]
            if newest.available_bytes <= newest.capacity_bytes * 0.05 + 1:
                return True
            before = [each.used_bytes for each, is_true, _ in disk.seen[:-1] if is_true]
            if any(newest.available_bytes <= 2 * (newest.used_bytes - used) for used in before):
                return True
        return False

    def _is_cool(self) -> bool:
        pause = {"0": 0, "1h": 1, "6h": 6}[self._policy["cooldown"]] * HOUR
        grown = [disk.grown_at for disk in self._disks if disk.grown_at]
        # Annotations hold whole seconds.
        return not pause or all(each <= self._now - pause + MINUTE / 60 for each in grown)

    def _check(self, rule: str, is_kept: bool) -> None:  # noqa: FBT001  what was found
        if not is_kept:
            self.violations.append(f"{self._truth}: {rule}")
