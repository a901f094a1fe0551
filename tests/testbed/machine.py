"""What a bed could leave on the machine."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from testbed import cgroups
from testbed.bed import load_record
from testbed.node import KUBELET_SYSCTLS

if TYPE_CHECKING:
    from testbed.bed import Bed


def namespaces_of(pid: int | str) -> set[str]:
    """Return the namespaces of a process that are not those of this one."""
    links = {str(path.readlink()) for path in Path(f"/proc/{pid}/ns").iterdir()}
    return links - {str(path.readlink()) for path in Path("/proc/self/ns").iterdir()}


def sysctls() -> dict[str, str]:
    """Return the settings of the machine that a kubelet would change."""
    return {name: Path("/proc/sys", name).read_text() for name in KUBELET_SYSCTLS}


def output(*command: str) -> str:
    """Return what a program prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@dataclass(frozen=True)
class Traces:
    """How to recognise a bed's things once it has ended; other beds may come and go meanwhile."""

    bed: Bed
    namespaces: frozenset[str]
    interface: str

    @classmethod
    def of(cls, state: Path) -> Traces:
        """Return those of a bed that is up."""
        bed, first = load_record(state)
        interface = Path("/sys/class/net", bed.name, "ifindex").read_text()
        return cls(bed, frozenset(namespaces_of(first.pid)), interface)

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
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if namespaces_of(path.name) & self.namespaces:
                    found.append(f"process {path.name} {(path / 'comm').read_text().strip()}")
            except OSError:
                continue  # it ended while it was looked at
        return found

    def _lines_with_state(self, what: str, text: str) -> list[str]:
        return [f"{what} {line}" for line in text.splitlines() if str(self.bed.state) in line]

    def _network(self) -> list[str]:
        links = {path.read_text() for path in Path("/sys/class/net").glob("*/ifindex")}
        found = ["link"] if self.interface in links else []
        if not self._name_is_taken_again():
            routes = output("ip", "route", "show").splitlines()
            found += [f"route {line}" for line in routes if self.bed.network in line]
        return found

    def _cgroups(self) -> list[str]:
        if self._name_is_taken_again():
            return []
        groups = [top / self.bed.name for top in cgroups.hierarchies()]
        return [f"cgroup {group}" for group in groups if group.exists()]

    def _name_is_taken_again(self) -> bool:
        return Path("/sys/class/net", self.bed.name).exists()
