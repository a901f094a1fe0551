"""What was promised, whether it held, and how long it took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from testbed.demo.scene import (
    DONE,
    NEW_POD,
    NEW_SIZE,
    OLD_SIZE,
    PODS,
    VOLUME,
    Scene,
    capacity,
    request,
    restarts,
    template_size,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import RenderableType

    from testbed.demo.steps import Steps
    from testbed.writer import Journal

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Check:
    """One promise: its words, what was found, and whether it held."""

    promise: str
    found: str
    holds: bool


def checks(scene: Scene, journals: Mapping[str, Journal]) -> list[Check]:
    """Return every promise of the demo, held against what was seen from the outside."""
    return [
        _claims(scene),
        _filesystems(scene, journals),
        _replaced(scene),
        _pods(scene),
        _records(scene, journals),
        _new_replica(scene),
    ]


def _claims(scene: Scene) -> Check:
    claims = [scene.claims.get(f"{VOLUME}-{pod}") for pod in PODS]
    asked, have = {request(claim) for claim in claims}, {capacity(claim) for claim in claims}
    holds = asked == have == {NEW_SIZE}
    return Check("every claim grew", f"{OLD_SIZE} → {', '.join(sorted(have))}", holds)


def _filesystems(scene: Scene, journals: Mapping[str, Journal]) -> Check:
    before = {scene.first_bytes.get(pod, 0) // MIB for pod in PODS}
    after = {_last_bytes(journals[pod]) // MIB for pod in PODS}
    holds = all(
        pod in scene.first_bytes and _last_bytes(journals[pod]) >= scene.grown_bytes(pod)
        for pod in PODS
    )
    found = f"{_numbers(before)} → {_numbers(after)} MiB, as stat -f says inside"
    return Check("every file system grew", found, holds)


def _replaced(scene: Scene) -> Check:
    size = template_size(scene.statefulset)
    absent = scene.absence_seconds
    is_once = scene.is_replaced and len(scene.set_uids) == 2  # noqa: PLR2004  the old, the new
    holds = is_once and size == NEW_SIZE and scene.status == DONE
    found = f"template {size or 'gone'}, {scene.status or 'no status'}"
    if absent is not None:
        found += f", absent for {absent * 1000:.0f} ms"
    return Check("the set was replaced once", found, holds)


def _pods(scene: Scene) -> Check:
    uids = [scene.pod_uids.get(pod, set()) for pod in PODS]
    count = sum(restarts(scene.pods[pod]) for pod in PODS if pod in scene.pods)
    unchanged = sum(len(seen) == 1 for seen in uids)
    found = f"{unchanged} of {len(PODS)} uids unchanged, {count} restarts"
    return Check("no Pod restarted", found, unchanged == len(PODS) and count == 0)


def _records(scene: Scene, journals: Mapping[str, Journal]) -> Check:
    count = sum(len(journal.records) for journal in journals.values())
    missing = sum(len(journal.missing) for journal in journals.values())
    broken = sum(len(journal.broken) for journal in journals.values())
    gap = largest_gap_seconds(journals, None)
    usual = largest_gap_seconds(journals, scene.wished_at)
    found = (
        f"{count} checked, {missing} missing, {broken} damaged; "
        f"largest gap {gap:.2f} s (before the wish {usual:.2f} s)"
    )
    is_whole = all(journal.records and journal.is_whole for journal in journals.values())
    return Check("no record was lost", found, is_whole and journals.keys() >= set(PODS))


def largest_gap_seconds(journals: Mapping[str, Journal], until: float | None) -> float:
    """Return the longest time in which one of the Pods wrote no record."""
    return max((journal.largest_gap(until) for journal in journals.values()), default=0.0)


def _new_replica(scene: Scene) -> Check:
    claim = scene.claims.get(f"{VOLUME}-{NEW_POD}")
    record = scene.records.get(NEW_POD)
    size = record.filesystem_bytes // MIB if record else 0
    holds = capacity(claim) == NEW_SIZE and record is not None
    found = f"{NEW_POD}: claim {capacity(claim) or 'none'}, file system {size} MiB"
    return Check("a new replica starts big", found, holds)


def _took(steps: Steps) -> str:
    parts = [f"{step.name} {step.elapsed_seconds:.1f} s" for step in steps.done]
    return f"The demo took {steps.total_seconds:.0f} s: {', '.join(parts)}."


def _last_bytes(journal: Journal) -> int:
    return journal.records[-1].filesystem_bytes if journal.records else 0


def _numbers(values: set[int]) -> str:
    return ", ".join(map(str, sorted(values)))


def times(scene: Scene, journals: Mapping[str, Journal]) -> dict[str, float | None]:
    """Return the seconds from the wish to each stage; None for one that never came."""
    grown = [
        journals[pod].grown_at(scene.grown_bytes(pod)) for pod in PODS if pod in scene.first_bytes
    ]
    last_grown = None if None in grown else max((each for each in grown if each), default=None)
    stages = {
        "claims patched": scene.patched_at,
        "set replaced": scene.created_at if scene.is_replaced else None,
        "file systems grown": last_grown,
    }
    began = scene.wished_at or 0
    return {stage: None if at is None else at - began for stage, at in stages.items()}


def picture(found: list[Check], stages: Mapping[str, float | None], steps: Steps) -> RenderableType:
    """Return the summary."""
    table = Table.grid(padding=(0, 1))
    for check in found:
        mark = Text("✔", style="green") if check.holds else Text("✘", style="bold red")
        table.add_row(mark, Text(check.promise, style="bold"), check.found)
    wish = Table.grid(padding=(0, 1))
    for stage, seconds in stages.items():
        wish.add_row("wish →", stage, "never" if seconds is None else f"{seconds:.2f} s")
    all_hold = all(check.holds for check in found)
    return Panel(
        Group(table, Text(), wish, Text(), Text(_took(steps), style="dim")),
        title="[bold green]All promises held[/]" if all_hold else "[bold red]A promise broke[/]",
        box=box.ROUNDED,
        border_style="green" if all_hold else "red",
    )
