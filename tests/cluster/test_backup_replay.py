"""Backups that were exchanged for older ones or deleted while their set is absent."""

import pytest

from rso.kube.transport import Request, Response
from tests.cluster.conftest import Interfere
from tests.cluster.looks import backups, wait_killed
from tests.cluster.test_backup_damage import content, crash_after_delete, only_backup, put, replaced
from tests.support.faults import write_name
from tests.support.fixtures import Run
from tests.support.sets import PREFIX, Json, Sets, statefulset, template_sizes
from tests.support.wire import Crash


def crash_after_save(request: Request, _: Response) -> None:
    """Kill the operator when its backup has been saved."""
    if request.changes and write_name(request) == "save":
        raise Crash


def save(sets: Sets, interfere: Interfere, namespace: str) -> Json:
    """Return the backup of the set as it is now, left by an operator that died."""
    with interfere(after=crash_after_save) as operator:
        wait_killed(sets, operator)
    return only_backup(sets, namespace)


def make_absent_later(sets: Sets, interfere: Interfere, namespace: str) -> tuple[Json, Json]:
    """Return the backups of an older version of the set and of the one that is absent."""
    sets.make(statefulset(replicas=0))
    sets.annotate("db", resize_0="2Gi")
    older = save(sets, interfere, namespace)
    sets.cluster.merge("statefulset", "db", sets.namespace, {"spec": {"minReadySeconds": 5}})
    with interfere(after=crash_after_delete) as operator:
        wait_killed(sets, operator)
    sets.wait(lambda: sets.find("db") is None, "the set has gone")
    return older, only_backup(sets, namespace)


@pytest.mark.changes("spec", "backups")
def test_36_the_content_of_an_older_backup_of_the_same_set_creates_nothing(
    sets: Sets, run: Run, interfere: Interfere, operator_namespace: str
) -> None:
    """An envelope of an older version is refused; the right one brings the newer set back."""
    older, newer = make_absent_later(sets, interfere, operator_namespace)
    put(sets, operator_namespace, replaced(newer, content(older)))

    with run() as operator:
        sentence = sets.wait_event("db", "BackupUnreadable")
        written = [sent.words for sent in operator.wire.changes()]
        is_absent = sets.find("db") is None
        put(sets, operator_namespace, replaced(newer, content(newer)))
        sets.wait_status("db", "Done: data=2Gi")

    assert older["metadata"]["name"] == newer["metadata"]["name"]
    assert newer["metadata"]["name"] in sentence
    assert ([], True) == (written, is_absent)
    assert 5 == sets.get("db")["spec"]["minReadySeconds"]


@pytest.mark.changes("set")
def test_36_a_deleted_backup_creates_no_set(
    sets: Sets, run: Run, interfere: Interfere, operator_namespace: str
) -> None:
    """Without its backup an absent set stays away, and others are resized as ever."""
    _, backup = make_absent_later(sets, interfere, operator_namespace)
    sets.cluster.delete("configmap", backup["metadata"]["name"], operator_namespace)
    wish = {f"{PREFIX}resize-0": "2Gi"}
    sets.cluster.apply(statefulset("other", replicas=0, annotations=wish), sets.namespace)

    with run() as operator:
        sets.wait_status("other", "Done: data=2Gi")

    created = [each.words for each in operator.wire.changes() if each.request.verb == "create"]
    assert sets.find("db") is None
    assert [] == backups(sets, operator_namespace)
    assert {"data": "2Gi"} == template_sizes(sets.get("other"))
    assert [f"create statefulsets {sets.namespace}/other"] == [
        words for words in created if "statefulsets" in words
    ]
