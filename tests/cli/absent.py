"""Makes a set absent as it happens: the operator dies between its DELETE and its CREATE.

Or only its backup, where nothing else matters.
"""

from pathlib import Path

from rso.app.backup import Header, config_map, seal
from rso.app.keys import load_keys
from rso.core.names import Phase
from rso.kube.transport import Request, Response
from tests.cli.running import Rso
from tests.support.operators import Operator, settings_for
from tests.support.sets import Sets, statefulset
from tests.support.wire import Crash, deletes_set


def make_absent(sets: Sets, rso: Rso, key_dir: Path, name: str = "db") -> None:
    """Return when a set with two Pods is gone and only its backup is there."""
    sets.make(statefulset(name, replicas=2))

    def die(request: Request, _: Response) -> None:
        if deletes_set(request):
            raise Crash

    settings = settings_for(sets.cluster, rso.operator_namespace, key_dir)
    operator = Operator(sets.cluster, settings, sets.namespace, after=die).start()
    try:
        sets.annotate(name, resize_0="2Gi")
        sets.wait(lambda: operator.wire.is_dead, "the operator dies in its replace")
    finally:
        operator.kill()
    sets.wait(lambda: sets.find(name) is None, f"set {name} is gone")


def make_backup(sets: Sets, rso: Rso, key_dir: Path, phase: Phase | None) -> str:
    """Return the name of a backup of a set `db` that does not exist."""
    cluster = sets.cluster.get("namespace", rso.operator_namespace)
    assert cluster is not None
    header = Header(cluster["metadata"]["uid"], rso.namespace, "db", "uid-1", 1, "1", "a")
    live = {"metadata": {"name": "db", "namespace": rso.namespace}, "spec": {"replicas": 0}}
    content = {"object": live, "pods": [], "sizes": {}}
    envelope = seal(load_keys(key_dir), header, content)
    sets.cluster.apply(config_map(header, envelope, phase), rso.operator_namespace)
    return header.backup_name
