"""What a resizer's caches do not show: namespaces out of its scope, and sets that hold a name."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rso.kube.transport import Request, Response
from testbed.cluster import Cluster
from tests.cluster.conftest import Interfere
from tests.cluster.looks import backups, metric, wait_killed
from tests.cluster.once import wait_gone
from tests.support.fixtures import Run
from tests.support.operators import Operator, settings_for
from tests.support.sets import PREFIX, Sets, Snapshot, check_unharmed, statefulset, template_sizes
from tests.support.wire import Crash, deletes_set


def die_after_delete(request: Request, _: Response) -> None:
    if deletes_set(request):
        raise Crash


def die_before_delete(request: Request) -> None:
    if deletes_set(request):
        raise Crash


@pytest.fixture
def elsewhere(cluster: Cluster) -> Iterator[Sets]:
    """Yield another namespace."""
    made = Sets(cluster, cluster.make_namespace())
    yield made
    cluster.leave_namespace(made.namespace)


Blind = Callable[[], Operator]


@pytest.fixture
def blind(
    cluster: Cluster, elsewhere: Sets, operator_namespace: str, key_dir: Path
) -> Iterator[Blind]:
    """Yield what starts an operator whose caches show no set of the test's namespace."""
    started: list[Operator] = []

    def start() -> Operator:
        settings = settings_for(cluster, operator_namespace, key_dir)
        started.append(Operator(cluster, settings, elsewhere.namespace).start())
        return started[-1]

    yield start
    for operator in started:
        operator.kill()  # stopped in order it would try for its whole grace time


def leave_absent(sets: Sets, interfere: Interfere) -> None:
    """Let an operator die just after its DELETE."""
    with interfere(after=die_after_delete) as operator:
        sets.annotate("db", resize_0="2Gi")
        wait_killed(sets, operator)
    wait_gone(sets)


@pytest.mark.changes("set", "looks")  # its last operator does not watch this namespace
def test_a_set_that_is_away_comes_back_although_its_namespace_is_not_watched_any_more(
    sets: Sets, interfere: Interfere, run: Run, elsewhere: Sets, operator_namespace: str
) -> None:
    """A changed --namespace leaves no set away, begins nothing there, and holds up no other set."""
    sets.make(statefulset(replicas=2))
    sets.make(statefulset("other", replicas=0))
    before = Snapshot.of(sets, "db")
    leave_absent(sets, interfere)
    elsewhere.make(statefulset("third", replicas=0))

    with run(namespaces=(elsewhere.namespace,)):
        sets.annotate("other", resize_0="2Gi")
        elsewhere.annotate("third", resize_0="2Gi")
        sets.wait(lambda: sets.find("db"), "the set is back")
        sets.wait(lambda: not backups(sets, operator_namespace), "the recreate is finished")
        elsewhere.wait_status("third", "Done: data=2Gi")
        sets.wait(lambda: sets.is_ready("db"), "the set is ready")

    check_unharmed(before, Snapshot.of(sets, "db"))
    assert {"data": "2Gi"} == template_sizes(sets.get("db"))
    assert "" == sets.status("other")
    assert {"data": "1Gi"} == template_sizes(sets.get("other"))


def test_28_a_name_that_is_taken_is_left_alone_although_no_cache_shows_who_took_it(
    sets: Sets, interfere: Interfere, blind: Blind, operator_namespace: str
) -> None:
    """The set that holds the name stays as it is, the backup is kept; that was the last try."""
    sets.make(statefulset(replicas=0))
    leave_absent(sets, interfere)
    taken = sets.cluster.apply(statefulset(replicas=0, minReadySeconds=3), sets.namespace)

    operator = blind()
    sets.wait(lambda: metric(operator, "rso_recreates_total", result="name_taken"), "it is told")
    [backup] = backups(sets, operator_namespace)
    kept = sets.cluster.get("configmap", backup, operator_namespace) or {}

    assert "superseded" == kept["metadata"]["labels"][f"{PREFIX}phase"]
    assert taken["metadata"]["uid"] == sets.get("db")["metadata"]["uid"]
    assert taken["spec"] == sets.get("db")["spec"]
    assert 1 == len(creates(operator))


def test_a_set_that_lives_unseen_is_left_alone(
    sets: Sets,
    interfere: Interfere,
    blind: Blind,
    operator_namespace: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A set whose backup says `deleting`, and which no cache shows, is tried ever more seldom."""
    sets.make(statefulset(replicas=0))
    with interfere(before=die_before_delete) as operator:
        sets.annotate("db", resize_0="2Gi")
        wait_killed(sets, operator)
    before = sets.get("db")

    operator = blind()
    words = "step is tried again and again"
    sets.wait(lambda: words in caplog.messages, "it is told")

    assert [] == operator.wire.changes()
    assert before["metadata"]["uid"] == sets.get("db")["metadata"]["uid"]
    assert before["spec"] == sets.get("db")["spec"]
    assert 1 == len(backups(sets, operator_namespace))
    assert {409} == set(creates(operator))


def creates(operator: Operator) -> list[int | None]:
    """Return the answers to what would have made a set."""
    return [
        sent.status
        for sent in operator.wire.sent
        if sent.request.verb == "create"
        and sent.request.resource.plural == "statefulsets"
        and sent.request.changes
        and json.loads(sent.request.body or b"{}")["metadata"]["name"] == "db"
    ]
