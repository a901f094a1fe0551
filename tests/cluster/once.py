"""Acts in the gap of a recreate, exactly once; and recreates by hand."""

from collections.abc import Callable

from rso.kube.transport import Request, Response
from tests.support.sets import Sets
from tests.support.wire import deletes_set


class Once:
    """Acts once, at the first request that deletes a StatefulSet."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act
        self.is_done = False

    def before(self, request: Request) -> None:
        """Act before the request is sent."""
        if deletes_set(request) and not self.is_done:
            self.is_done = True
            self._act()

    def after(self, request: Request, _: Response) -> None:
        """Act after the server has answered."""
        self.before(request)


def wait_gone(sets: Sets) -> None:
    """Return when the set `db` has gone."""
    sets.wait(lambda: sets.find("db") is None, "the set has gone")


def go_away(sets: Sets) -> None:
    """Delete the set `db` by hand and leave its Pods."""
    sets.cluster.delete("statefulset", "db", sets.namespace, "Orphan")
    wait_gone(sets)


def recreate(sets: Sets) -> None:
    """Delete the set `db` by hand, and make it again as it was."""
    spec = sets.get("db")["spec"]
    go_away(sets)
    manifest = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}}
    sets.cluster.apply({**manifest, "spec": spec}, sets.namespace)
