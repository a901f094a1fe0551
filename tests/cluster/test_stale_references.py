"""Who still names the set that was replaced after the new one is there is never left in silence."""

import contextlib
import json

import pytest

from rso.kube.transport import Request, Response
from tests.cluster.conftest import Interfere
from tests.support.controllers import stopped_controllers
from tests.support.sets import Json, Sets, Snapshot, check_unharmed, statefulset

CONTROLLER_RESOURCES = ("pod", "pvc")


def is_created(request: Request, response: Response) -> bool:
    """Return whether the set was just created, in earnest."""
    is_create = request.verb == "create" and request.resource.plural == "statefulsets"
    return is_create and request.changes and response.status == 201


class Stale:
    """Lets an object name the old set, once, when the new one was just created."""

    def __init__(self, sets: Sets, kind: str, name: str) -> None:
        assert kind in CONTROLLER_RESOURCES
        self._sets = sets
        self._kind = kind
        self._name = name
        self._old = sets.get("db")["metadata"]["uid"]

    def after(self, request: Request, response: Response) -> None:
        """Act at the answer of the real create."""
        if is_created(request, response):
            assert json.loads(response.body)["metadata"]["uid"] != self._old
            body = {"metadata": {"ownerReferences": [self._reference()]}}
            self._sets.cluster.merge(self._kind, self._name, self._sets.namespace, body)

    def _reference(self) -> Json:
        return {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": self._old}


def warnings(sets: Sets) -> list[tuple[str, str]]:
    """Return kind and sentence of the Events StaleReference about the set."""
    return [
        (each["type"], each["message"])
        for each in sets.cluster.list("event", sets.namespace)
        if each["reason"] == "StaleReference" and each["involvedObject"]["name"] == "db"
    ]


def test_24_a_claim_that_names_the_old_set_is_freed_and_told(
    sets: Sets, interfere: Interfere
) -> None:
    """The garbage collector finds no claim to take: its reference is removed, with an Event."""
    sets.make(statefulset(replicas=1))
    before = Snapshot.of(sets, "db")

    with interfere(after=Stale(sets, "pvc", "data-db-0").after):
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done: data=2Gi")
        sets.wait(lambda: warnings(sets), "it is told")

    sentence = "claim data-db-0 referred to the set that was replaced; it does no more"
    assert [("Warning", sentence)] == warnings(sets)
    after = Snapshot.of(sets, "db")
    check_unharmed(before, after)
    assert not after.claims["data-db-0"]["metadata"].get("ownerReferences")


@pytest.mark.changes("pods")
def test_24_a_pod_that_names_the_old_set_is_told_and_never_written(
    sets: Sets, interfere: Interfere
) -> None:
    """Which Pods the garbage collector may take is a Warning; the recreate ends all the same.

    The collector waits until they are told: it takes them within milliseconds else.
    """
    sets.make(statefulset(replicas=1))
    stale = Stale(sets, "pod", "db-0")

    with contextlib.ExitStack() as stopped:

        def interfere_once(request: Request, response: Response) -> None:
            if is_created(request, response):
                stopped.enter_context(stopped_controllers(sets.cluster))
            stale.after(request, response)

        with interfere(after=interfere_once) as operator:
            sets.annotate("db", resize_0="2Gi")
            sets.wait(lambda: warnings(sets), "it is told")
            stopped.close()
            sets.wait_status("db", "Done: data=2Gi")

    sentence = (
        "the garbage collector may delete Pods that still refer to the set that was replaced, and "
        "the set makes them again: db-0"
    )
    assert [("Warning", sentence)] == warnings(sets)
    assert "pods" not in {sent.request.resource.plural for sent in operator.wire.changes()}
