"""A writer that proves what it wrote: it runs in a container and is checked from outside.

Each record is a line of the file ``journal`` in a volume:

    NUMBER TIME BYTES HASH

NUMBER counts from 1; TIME is the clock in seconds; BYTES is the size of the file system as the
container sees it; HASH is the SHA-256 of the line's beginning and the HASH before. A record is
flushed to the volume by fsync, and only then told in the container's log: what the log has, the
journal must have. A writer that is started again goes on after the last whole record, and one that
cannot write ends with status 1, as a database does.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from testbed.cluster import Cluster

IMAGE = "localhost/testbed/busybox:1"
FIRST_HASH = "-"
INTERVAL_SECONDS = 0.1
SCRIPT = f"""
write() {{
  cd "$1" || exit 1
  touch journal || exit 1
  truncate -s "$(head -n "$(wc -l < journal)" journal | wc -c)" journal
  last=$(tail -n 1 journal)
  number=${{last%% *}} hash=${{last##* }}
  hash=${{hash:-{FIRST_HASH}}}
  while :; do
    number=$((number + 1))
    blocks=$(stat -f -c '%b * %S' .)
    record="$number $EPOCHREALTIME $((blocks))"
    hash=$(echo "$record $hash" | sha256sum)
    hash=${{hash%% *}}
    echo "$record $hash" >> journal && sync journal || exit 1
    echo "$1 $record $hash"
    usleep {INTERVAL_SECONDS * 1e6:.0f}
  done
}}
trap 'exit 0' TERM
for directory; do write "$directory" & done
wait -n
exit 1
"""


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a journal."""

    number: int
    seconds: float
    filesystem_bytes: int
    hash: str


@dataclass(frozen=True, slots=True)
class Journal:
    """The records of one volume, oldest first, and what is wrong with them.

    ``missing`` has the records that were told to be written and are not there, as lines;
    ``broken`` the numbers of those that do not follow from the one before.
    """

    records: tuple[Record, ...]
    missing: tuple[str, ...]
    broken: tuple[int, ...]

    @property
    def is_whole(self) -> bool:
        """Whether every record that was ever told to be written is there, unchanged."""
        return not self.missing and not self.broken

    def largest_gap(self, until: float | None = None) -> float:
        """Return the longest time without a record, in seconds, perhaps only up to a moment."""
        times = [each.seconds for each in self.records if until is None or each.seconds <= until]
        return max((after - before for before, after in pairwise(times)), default=0.0)

    def grown_at(self, filesystem_bytes: int) -> float | None:
        """Return the time of the first record that saw a file system at least that large."""
        for record in self.records:
            if record.filesystem_bytes >= filesystem_bytes:
                return record.seconds
        return None


def container(*volumes: str) -> dict[str, Any]:
    """Return a container that writes in each volume, mounted at its name."""
    directories = [f"/{volume}" for volume in volumes]
    return {
        "name": "writer",
        "image": IMAGE,
        "command": ["sh", "-c", SCRIPT, "writer", *directories],
        "volumeMounts": [{"name": each, "mountPath": f"/{each}"} for each in volumes],
    }


def parse_record(line: str) -> Record:
    """Return the record of a line; ValueError when it is none."""
    number, seconds, filesystem_bytes, digest = line.split(" ")
    return Record(int(number), float(seconds), int(filesystem_bytes), digest)


def check(journal: str, acknowledged: Sequence[str]) -> Journal:
    """Return a journal, checked against itself and the lines that were told to be written.

    Raises: ValueError, when a line of the journal is no record.
    """
    lines = journal.splitlines()
    present = frozenset(lines)
    missing = tuple(line for line in acknowledged if line not in present)
    return Journal(tuple(map(parse_record, lines)), missing, tuple(_broken(lines)))


def _broken(lines: Sequence[str]) -> list[int]:
    broken = []
    previous = FIRST_HASH
    for number, line in enumerate(lines, start=1):
        beginning, _, digest = line.rpartition(" ")
        expected = hashlib.sha256(f"{beginning} {previous}\n".encode()).hexdigest()
        if digest != expected or not beginning.startswith(f"{number} "):
            broken.append(number)
        previous = digest
    return broken


def acknowledged(cluster: Cluster, namespace: str, pod: str, volume: str) -> list[str]:
    """Return the lines that the Pod's log says were written in a volume."""
    return _told(log(cluster, namespace, pod), volume)


def read_journal(cluster: Cluster, namespace: str, pod: str, volume: str) -> Journal:
    """Return the journal of a volume as it is now, checked."""
    # Strictly before the journal: it may have more than the log, never less.
    told = acknowledged(cluster, namespace, pod, volume)
    path = f"/{volume}/journal"
    text = cluster.kubectl("exec", f"--namespace={namespace}", pod, "--", "cat", path)
    # The writer writes on: its last line may be on its way.
    return check(text[: text.rfind("\n") + 1], told)


def last_record(cluster: Cluster, namespace: str, pod: str, volume: str) -> Record | None:
    """Return the newest record that the Pod's log tells of a volume."""
    told = _told(log(cluster, namespace, pod, last_lines=10), volume)
    return parse_record(told[-1]) if told else None


def log(cluster: Cluster, namespace: str, pod: str, last_lines: int | None = None) -> str:
    """Return the log of a Pod's container, empty while there is none."""
    query = "" if last_lines is None else f"?tailLines={last_lines}"
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log{query}"
    status, answer = cluster.api.send("GET", path)
    return answer.decode() if status == 200 else ""  # noqa: PLR2004  OK


def _told(text: str, volume: str) -> list[str]:
    start = f"/{volume} "
    whole = text[: text.rfind("\n") + 1]
    return [line.removeprefix(start) for line in whole.splitlines() if line.startswith(start)]
