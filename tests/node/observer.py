"""What a person would see who looks at the namespace all the time, by watches of its own."""

from testbed.watch import Watch
from tests.support.sets import PREFIX, Json, Sets, to_bytes

DONE = "Done"
CATCH_UP_SECONDS = 10.0


class Observer:
    """Follows sets, Pods and claims from its start, each change of them.

    Moments are resource versions: they order changes of all kinds, whichever watch is slower.
    """

    def __init__(self, sets: Sets) -> None:
        self._sets = sets
        self._statuses: dict[str, list[str]] = {}
        self._set_uids: dict[str, list[str]] = {}
        self._pod_uids: dict[str, list[str]] = {}
        self._capacities: dict[str, dict[int, int]] = {}
        self._done_at: dict[str, int] = {}
        self._seen_until: dict[str, int] = {}
        seen = {"sts": self._see_set, "pod": self._see_pod, "pvc": self._see_claim}
        self._watches = [
            Watch(sets.cluster.api, kind, sets.namespace, seen[kind]).start() for kind in seen
        ]

    def stop(self) -> None:
        """End; what was seen stays."""
        for watch in self._watches:
            watch.stop()

    def statuses(self, name: str) -> list[str]:
        """Return the statuses that a set has had until now, in their order."""
        self._catch_up("statefulset", name)
        return self._statuses[name]

    def set_uids(self, name: str) -> list[str]:
        """Return the uids that a set has had until now."""
        self._catch_up("statefulset", name)
        return self._set_uids[name]

    def pod_uids(self, name: str) -> list[str]:
        """Return the uids that a Pod has had until now."""
        self._catch_up("pod", name)
        return self._pod_uids[name]

    def least_capacity_when_done(self, name: str, template: str) -> int:
        """Return the bytes of a template's smallest claim when the set first said Done."""
        self._catch_up("statefulset", name)
        done_at = self._done_at[name]
        claims = self._sets.claims(f"{template}-{name}-")
        for claim in claims:
            self._catch_up("pvc", claim)
        histories = [self._capacities[claim] for claim in claims]
        # A claim that was made later has no part in it.
        known = [history for history in histories if min(history) < done_at]
        return min(_value_at(history, done_at) for history in known)

    def _catch_up(self, kind: str, name: str) -> None:
        """Wait until the watches have told what can be read now."""
        found = self._sets.cluster.get(kind, name, self._sets.namespace)
        moment = _moment(found) if found else 0
        self._sets.wait(
            lambda: self._seen_until.get(name, 0) >= moment,
            f"the watch of {name}",
            CATCH_UP_SECONDS,
        )

    def _see_set(self, _at: float, _change: str, found: Json) -> None:
        name = found["metadata"]["name"]
        _add(self._set_uids.setdefault(name, []), found["metadata"]["uid"])
        status = found["metadata"].get("annotations", {}).get(f"{PREFIX}status", "")
        if status:
            _add(self._statuses.setdefault(name, []), status)
        if status.startswith(DONE):
            self._done_at.setdefault(name, _moment(found))
        self._seen_until[name] = _moment(found)

    def _see_pod(self, _at: float, _change: str, found: Json) -> None:
        name = found["metadata"]["name"]
        _add(self._pod_uids.setdefault(name, []), found["metadata"]["uid"])
        self._seen_until[name] = _moment(found)

    def _see_claim(self, _at: float, _change: str, found: Json) -> None:
        name = found["metadata"]["name"]
        capacity = found.get("status", {}).get("capacity", {}).get("storage", "0")
        self._capacities.setdefault(name, {})[_moment(found)] = to_bytes(capacity)
        self._seen_until[name] = _moment(found)


def _moment(found: Json) -> int:
    return int(found["metadata"]["resourceVersion"])


def _value_at(history: dict[int, int], moment: int) -> int:
    return history[max(version for version in history if version < moment)]


def _add(values: list[str], value: str) -> None:
    """Append a value that differs from the last one."""
    if values[-1:] != [value]:
        values.append(value)
