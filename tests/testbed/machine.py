"""What a bed could leave on the machine."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from testbed import cgroups
from testbed.bed import load_record
from testbed.network import link_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.bed import Bed


# Where a node's programs have settings, and those that count or adapt by themselves: the last id,
# open ptys, randomness, perf's pace, hung tasks, tracked connections, and what comes with a link.
SETTINGS = ("kernel", "net", "vm")
CHANGING = re.compile(
    r"kernel/(ns_last_pid|pty/nr|random/.*|perf_.*|hung_task_detect_count)"
    r"|net/ipv[46]/(conf|neigh)/(?!all/|default/).*"
    r"|net/netfilter/nf_conntrack_count"
)


def sysctls() -> dict[str, str]:
    """Return every setting of this machine that a kubelet or kube-proxy could change."""
    found = {}
    for top in SETTINGS:
        for directory, _, names in os.walk(Path("/proc/sys", top)):
            for path in (Path(directory, name) for name in names):
                key = str(path.relative_to("/proc/sys"))
                if not CHANGING.fullmatch(key):
                    # Some can only be written, some not by this root: then they say nothing.
                    with suppress(OSError, UnicodeDecodeError):
                        found[key] = path.read_text()
    return found


def changed_sysctls(before: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return {setting: (before, now)}; those that a kernel module has brought are no change."""
    now = sysctls()
    return {
        key: (text, now[key]) for key, text in before.items() if key in now and text != now[key]
    }


def output(*command: str) -> str:
    """Return what a program prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def lives(pid: int | str | None) -> bool:
    """Tell whether a process exists and has not ended."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@dataclass(frozen=True)
class Traces:
    """How to recognise a bed's things once it has ended; other beds may come and go meanwhile.

    ``pid_namespace`` is an open file of the bed's process namespace: while it is open, the kernel
    gives its number to no other. It is None when the namespace had ended before.
    """

    bed: Bed
    pid_namespace: int | None

    @classmethod
    @contextmanager
    def of(cls, state: Path) -> Iterator[Traces]:
        """Yield those of the bed of a state directory."""
        bed, first = load_record(state)
        try:
            descriptor = os.open(f"/proc/{first.pid}/ns/pid", os.O_RDONLY)
        except FileNotFoundError:
            yield cls(bed, None)
            return
        try:
            yield cls(bed, descriptor)
        finally:
            os.close(descriptor)

    def left(self) -> list[str]:
        """Return all that is left of the bed."""
        return [
            *self._processes(),
            *self._lines_with_state("mount", Path("/proc/mounts").read_text()),
            *self._lines_with_state("loop device", output("losetup", "--list")),
            *self._network(),
            *self._cgroups(),
        ]

    def _processes(self) -> list[str]:
        """Those within, and the one outside that made the namespace for its children."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                links = (path / "ns/pid", path / "ns/pid_for_children")
                if lives(path.name) and any(map(self._is_within, links)):
                    found.append(f"process {path.name} {(path / 'comm').read_text().strip()}")
            except OSError:
                continue  # it ended while it was looked at
        return found

    def _is_within(self, link: Path) -> bool:
        if self.pid_namespace is None:
            return False
        return link.stat().st_ino == os.fstat(self.pid_namespace).st_ino

    def _lines_with_state(self, what: str, text: str) -> list[str]:
        return [f"{what} {line}" for line in text.splitlines() if str(self.bed.state) in line]

    def _network(self) -> list[str]:
        taken = link_id(self.bed.name)
        if taken is not None and taken != self.bed.link_id:
            return []  # another bed has the number now, and its link and route
        routes = output("ip", "route", "show").splitlines()
        found = [f"route {line}" for line in routes if self.bed.network in line]
        return found if taken is None else ["link", *found]

    def _cgroups(self) -> list[str]:
        groups = [top / self.bed.cgroup for top in cgroups.hierarchies()]
        return [f"cgroup {group}" for group in groups if group.exists()]
