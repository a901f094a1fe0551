"""What a person would see who looks at the namespace all the time, by watches of its own."""

from testbed.watch import Watch
from tests.support.sets import PREFIX, Json, Sets, to_bytes

DONE = "Done"


class Observer:
    """Follows sets, Pods and claims from its start, each change of them."""

    def __init__(self, sets: Sets) -> None:
        self.statuses: dict[str, list[str]] = {}
        self.set_uids: dict[str, list[str]] = {}
        self.pod_uids: dict[str, list[str]] = {}
        self._capacities: dict[str, str] = {}
        self._when_done: dict[str, dict[str, str]] = {}
        seen = {"sts": self._see_set, "pod": self._see_pod, "pvc": self._see_claim}
        self._watches = [
            Watch(sets.cluster.api, kind, sets.namespace, seen[kind]).start() for kind in seen
        ]

    def stop(self) -> None:
        """End; what was seen stays."""
        for watch in self._watches:
            watch.stop()

    def least_capacity_when_done(self, name: str, claims: str) -> int:
        """Return the bytes of the smallest claim of this prefix when a set first said Done."""
        found = self._when_done[name]
        return min(to_bytes(found[claim]) for claim in found if claim.startswith(claims))

    def _see_set(self, _at: float, _change: str, found: Json) -> None:
        name = found["metadata"]["name"]
        _add(self.set_uids.setdefault(name, []), found["metadata"]["uid"])
        status = found["metadata"].get("annotations", {}).get(f"{PREFIX}status", "")
        if status:
            _add(self.statuses.setdefault(name, []), status)
        if status.startswith(DONE):
            self._when_done.setdefault(name, dict(self._capacities))

    def _see_pod(self, _at: float, _change: str, found: Json) -> None:
        uids = self.pod_uids.setdefault(found["metadata"]["name"], [])
        _add(uids, found["metadata"]["uid"])

    def _see_claim(self, _at: float, _change: str, found: Json) -> None:
        capacity = found.get("status", {}).get("capacity", {}).get("storage")
        if capacity:
            self._capacities[found["metadata"]["name"]] = capacity


def _add(values: list[str], value: str) -> None:
    """Append a value that differs from the last one."""
    if values[-1:] != [value]:
        values.append(value)
