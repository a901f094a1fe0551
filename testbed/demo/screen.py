"""How the scene looks: one live picture in a terminal, a line for each change elsewhere."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

from rich import box
from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from testbed.demo.scene import (
    NAME,
    NEW_BYTES,
    NEW_SIZE,
    OLD_SIZE,
    VOLUME,
    WISH,
    Scene,
    capacity,
    request,
    restarts,
    template_size,
)

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from testbed.demo.steps import Step, Steps

MIB = 2**20
LEAST_LOG_LINES, MOST_LOG_LINES = 2, 10
OTHER_LINES = 10  # of the picture: frame, headings, the set, the wish
BAR_WIDTH = 10
GROWN_RATIO = 0.9  # a file system has books of its own in its volume
REFRESHES_PER_SECOND = 8
POLL_SECONDS = 0.1


class Screen(Protocol):
    """Shows the scene from ``start`` to ``stop``."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


def screen(console: Console, steps: Steps, scene: Scene) -> Screen:
    """Return what suits where the output goes."""
    return Picture(console, steps, scene) if console.is_terminal else Lines(console, steps, scene)


class Picture:
    """The live picture of a terminal."""

    def __init__(self, console: Console, steps: Steps, scene: Scene) -> None:
        self._console = console
        self._steps = steps
        self._scene = scene
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(
            console=console,
            get_renderable=self._picture,
            refresh_per_second=REFRESHES_PER_SECOND,
        )

    def start(self) -> None:
        """Begin to draw."""
        self._live.start(refresh=True)

    def stop(self) -> None:
        """Draw once more and leave the picture standing."""
        self._live.stop()

    def _picture(self) -> RenderableType:
        parts: list[RenderableType] = [self._steps_table()]
        if self._scene.pods:
            parts += [pods_table(self._scene), set_text(self._scene)]
        if self._scene.wished_at is not None:
            parts += [log_text(self._scene, self._free_lines())]
        title = f"[bold]resize-statefulset-operator[/]  {OLD_SIZE} → {NEW_SIZE} while Pods write"
        return Panel(Group(*parts), title=title, box=box.ROUNDED, border_style="cyan")

    def _free_lines(self) -> int:
        taken = len(self._steps.done) + len(self._scene.pods) + OTHER_LINES
        return min(MOST_LOG_LINES, max(LEAST_LOG_LINES, self._console.height - taken))

    def _steps_table(self) -> Table:
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(width=1)
        table.add_column(ratio=1, no_wrap=True)
        table.add_column(justify="right", style="dim")
        for step in self._steps.done:
            mark = self._spinner if step.seconds is None else Text("✔", style="green")
            table.add_row(mark, step.text, f"{step.elapsed_seconds:.1f} s")
        return table


def pods_table(scene: Scene) -> Table:
    """Return a row for each Pod and its volume."""
    table = Table(box=box.SIMPLE_HEAD, expand=True, padding=(0, 1), pad_edge=False)
    for heading in ("Pod", "uid"):
        table.add_column(heading, no_wrap=True)
    table.add_column("restarts", justify="right", no_wrap=True)
    table.add_column(" asks   has", no_wrap=True)
    table.add_column("file system inside", no_wrap=True)
    table.add_column("records", justify="right", no_wrap=True)
    for name in sorted(scene.pods):
        table.add_row(*_pod_row(scene, name))
    return table


def _pod_row(scene: Scene, name: str) -> list[RenderableType]:
    pod, claim = scene.pods[name], scene.claims.get(f"{VOLUME}-{name}")
    record = scene.records.get(name)
    count = restarts(pod)
    return [
        Text(name, style="bold"),
        Text(pod["metadata"]["uid"][:8], style="dim"),
        Text(str(count), style="red" if count else "green"),
        Text.assemble(_size(request(claim)), " ", _size(capacity(claim))),
        _filesystem(record.filesystem_bytes if record else 0),
        str(record.number) if record else "",
    ]


def _size(size: str) -> Text:
    return Text(f"{size:>5}", style="green" if size == NEW_SIZE else "yellow")


def _filesystem(size_bytes: int) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=BAR_WIDTH)
    grid.add_column(justify="right", width=8)
    style = "green" if size_bytes > GROWN_RATIO * NEW_BYTES else "yellow"
    bar = ProgressBar(NEW_BYTES, size_bytes, width=BAR_WIDTH, complete_style=style)
    grid.add_row(bar, f"{size_bytes // MIB} MiB" if size_bytes else "")
    return grid


def set_text(scene: Scene) -> Text:
    """Return two lines about the set: which one it is, and what the operator says of it."""
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"StatefulSet {NAME}  ", style="bold")
    if scene.statefulset is None:
        text.append("absent: its Pods run on", style="yellow")
    else:
        size = template_size(scene.statefulset)
        text.append(f"uid {scene.set_uids[-1][:8]}", style="dim")
        text.append("  template ")
        text.append(size, style="green" if size == NEW_SIZE else "yellow")
        text.append(f"  age {time.time() - (scene.created_at or 0):.0f} s")
    if scene.absence_seconds is not None:
        text.append(f"  was absent for {scene.absence_seconds * 1000:.0f} ms", style="green")
    text.append("\nstatus  ", style="bold")
    text.append(scene.status, style="green" if scene.status.startswith("Done") else "yellow")
    return text


def log_text(scene: Scene, lines: int) -> Text:
    """Return the wish and the operator's last lines, in seconds after the wish."""
    text = Text(f"$ kubectl annotate statefulset {NAME} {WISH}", no_wrap=True, overflow="ellipsis")
    for line in told_since_wish(scene)[-lines:]:
        text.append(f"\n{line}", style="dim")
    return text


def told_since_wish(scene: Scene) -> list[str]:
    """Return the operator's lines since the wish."""
    began = scene.wished_at
    if began is None:
        return []
    lines = [line for line in scene.lines if line.seconds > began]
    return [f"+{line.seconds - began:6.3f} s  {line.text}" for line in lines]


class Lines:
    """A line for each change, where there is no terminal."""

    def __init__(self, console: Console, steps: Steps, scene: Scene) -> None:
        self._console = console
        self._steps = steps
        self._scene = scene
        self._said: dict[str, str] = {}
        self._told = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to tell."""
        self._thread.start()

    def stop(self) -> None:
        """Tell what is not yet told and end."""
        self._stopping.set()
        self._thread.join()
        self._tell()

    def _run(self) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            self._tell()

    def _tell(self) -> None:
        for subject, words in facts(self._steps, self._scene).items():
            if words and self._said.get(subject) != words:
                self._said[subject] = words
                self._print(f"{subject}: {words}")
        for line in told_since_wish(self._scene)[self._told :]:
            self._told += 1
            self._print(f"operator: {line}")

    def _print(self, words: str) -> None:
        # No wrapping, no markup: a log is read by machines too.
        text = Text(f"{self._steps.total_seconds:6.1f} s  {words}")
        self._console.print(text, soft_wrap=True)


def facts(steps: Steps, scene: Scene) -> dict[str, str]:
    """Return {subject: what can be said of it}; the words change only when it does."""
    told = {
        f"{n}. {step.text}": _progress(step) for n, step in enumerate(list(steps.done), start=1)
    }
    if scene.statefulset is not None:
        template = template_size(scene.statefulset)
        told[f"StatefulSet {NAME}"] = (
            f"uid {scene.set_uids[-1][:8]}, template {template}, status {scene.status or 'none'}"
        )
    elif scene.set_uids:
        told[f"StatefulSet {NAME}"] = "absent"
    for name in sorted(scene.records):
        claim = scene.claims.get(f"{VOLUME}-{name}")
        told[f"Pod {name}"] = (
            f"uid {scene.pods[name]['metadata']['uid'][:8]}, "
            f"restarts {restarts(scene.pods[name])}, "
            f"claim asks {request(claim)} and has {capacity(claim)}, "
            f"file system {scene.records[name].filesystem_bytes // MIB} MiB"
        )
    return told


def _progress(step: Step) -> str:
    return "..." if step.seconds is None else f"done in {step.seconds:.1f} s"
