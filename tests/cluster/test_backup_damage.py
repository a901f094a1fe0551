"""Backups that were tampered with while their set is absent: refused, kept, never a wrong set."""

import base64
from collections.abc import Callable

import pytest

from rso.kube.transport import Request, Response
from tests.cluster.conftest import Interfere
from tests.cluster.looks import backups, count, metric, wait_killed
from tests.support.fixtures import Run
from tests.support.sets import Json, Sets, statefulset, template_sizes
from tests.support.wire import Crash, deletes_set


def crash_after_delete(request: Request, _: Response) -> None:
    """Kill the operator when its delete of a set has been answered."""
    if deletes_set(request):
        raise Crash


def make_absent(sets: Sets, interfere: Interfere, name: str = "db") -> None:
    """Leave a set deleted by an operator that died before it created it again."""
    sets.make(statefulset(name, replicas=0))
    with interfere(after=crash_after_delete) as operator:
        sets.annotate(name, resize_0="2Gi")
        wait_killed(sets, operator)
    sets.wait(lambda: sets.find(name) is None, "the set has gone")


def content(backup: Json) -> bytes:
    [envelope] = backup["binaryData"].values()
    return base64.b64decode(envelope)


def replaced(backup: Json, envelope: bytes) -> Json:
    """Return the same ConfigMap with another envelope."""
    kept = {key: backup["metadata"][key] for key in ("name", "namespace", "labels")}
    [key] = backup["binaryData"]
    text = base64.b64encode(envelope).decode()
    return {**backup, "metadata": kept, "binaryData": {key: text}}


def flipped(backup: Json) -> Json:
    """Return a backup with one bit changed."""
    envelope = bytearray(content(backup))
    envelope[-20] ^= 1
    return replaced(backup, bytes(envelope))


def cut(backup: Json) -> Json:
    return replaced(backup, content(backup)[:-100])


@pytest.mark.parametrize("damage", [flipped, cut])
def test_36_a_damaged_backup_is_kept_and_told(
    sets: Sets,
    run: Run,
    interfere: Interfere,
    operator_namespace: str,
    damage: Callable[[Json], Json],
) -> None:
    """A backup that cannot be read creates nothing; put back as it was, it brings the set back."""
    make_absent(sets, interfere)
    intact = only_backup(sets, operator_namespace)
    put(sets, operator_namespace, damage(intact))

    with run() as operator:
        sentence = sets.wait_event("db", "BackupUnreadable")
        blocked = metric(operator, "rso_blocked_statefulsets", reason="BackupUnreadable")
        created = count(operator, "create statefulsets")
        sets.wait(lambda: metric(operator, "rso_unreadable_backups") == 1, "it is counted")
        kept = backups(sets, operator_namespace)
        put(sets, operator_namespace, replaced(intact, content(intact)))
        sets.wait_status("db", "Done: data=2Gi")
        assert 0 == metric(operator, "rso_unreadable_backups")

    assert ([intact["metadata"]["name"]], 0, 1) == (kept, created, blocked)
    assert kept[0] in sentence
    assert {"data": "2Gi"} == template_sizes(sets.get("db"))


@pytest.mark.changes("set", "backups")
def test_36_a_backup_with_a_damaged_header_is_counted(
    sets: Sets, run: Run, interfere: Interfere, operator_namespace: str
) -> None:
    """A backup that does not say whose it is is counted as unreadable at once."""
    make_absent(sets, interfere)
    intact = only_backup(sets, operator_namespace)
    put(sets, operator_namespace, {**replaced(intact, content(intact)), "data": {}})

    with run() as operator:
        sets.wait(lambda: metric(operator, "rso_unreadable_backups") == 1, "it is counted")


def only_backup(sets: Sets, namespace: str) -> Json:
    """Return the one backup there is, whole."""
    [name] = backups(sets, namespace)
    found = sets.cluster.get("configmap", name, namespace) or {}
    return {"apiVersion": "v1", "kind": "ConfigMap", **found}


def put(sets: Sets, namespace: str, backup: Json) -> None:
    """Replace a ConfigMap, which is immutable, by deleting it first."""
    sets.cluster.delete("configmap", backup["metadata"]["name"], namespace)
    sets.cluster.api.request("POST", f"/api/v1/namespaces/{namespace}/configmaps", backup)


@pytest.mark.changes("set", "backups")
def test_36_the_content_of_another_backup_creates_nothing(
    sets: Sets, run: Run, interfere: Interfere, operator_namespace: str
) -> None:
    """An envelope copied from another set's backup is refused with an Event."""
    make_absent(sets, interfere, "other")
    others = only_backup(sets, operator_namespace)
    make_absent(sets, interfere)  # its operator brings the other set back first
    victim = only_backup(sets, operator_namespace)
    put(sets, operator_namespace, replaced(victim, content(others)))

    with run() as operator:
        sentence = sets.wait_event("db", "BackupUnreadable")

    assert victim["metadata"]["name"] in sentence
    assert sets.find("db") is None
    assert [] == operator.wire.changes()


@pytest.mark.changes("spec")
def test_36_an_older_backup_of_the_same_set_creates_nothing(
    sets: Sets, run: Run, interfere: Interfere, operator_namespace: str
) -> None:
    """A valid backup from before a change of the Pods is kept and told, but never created from."""

    def crash_before_delete(request: Request) -> None:
        if deletes_set(request):
            raise Crash

    sets.make(statefulset(replicas=0))
    with interfere(before=crash_before_delete) as operator:
        sets.annotate("db", resize_0="2Gi")
        wait_killed(sets, operator)
    older = only_backup(sets, operator_namespace)
    pods = {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 7}}}}
    sets.cluster.merge("statefulset", "db", sets.namespace, pods)
    with interfere(after=crash_after_delete) as operator:
        wait_killed(sets, operator)
    sets.wait(lambda: sets.find("db") is None, "the set has gone")
    newer = only_backup(sets, operator_namespace)
    put(sets, operator_namespace, replaced(older, content(older)))

    with run() as operator:
        sentence = sets.wait_event("db", "BackupUnreadable")
        created = count(operator, "create statefulsets")
        put(sets, operator_namespace, replaced(newer, content(newer)))
        sets.wait_status("db", "Done: data=2Gi")

    assert "look at it with rso backup show, and apply the set yourself" in sentence
    assert 0 == created
    assert 7 == sets.get("db")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]


def test_27_an_absent_set_comes_back_whoever_starts(
    sets: Sets, run: Run, interfere: Interfere, operator_namespace: str
) -> None:
    """A set that is absent because of a killed operator is created by the next one, once."""
    make_absent(sets, interfere)

    with run() as operator:
        sets.wait_status("db", "Done: data=2Gi")
        sets.wait(lambda: not backups(sets, operator_namespace), "the backup is dropped")

    assert (0, 1) == (
        count(operator, "delete statefulsets"),
        count(operator, "create statefulsets"),
    )
    assert 1 == metric(operator, "rso_recreates_total", result="recovered")
