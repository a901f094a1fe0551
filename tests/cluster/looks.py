"""What the control-plane tests read of an operator: its writes, its metrics, its words."""

import json

from tests.support.operators import Operator
from tests.support.sets import PREFIX, Sets
from tests.support.wire import Sent


def writes(operator: Operator) -> list[str]:
    """Return the accepted changes in order, the status annotation aside: `patch db`."""
    return [
        f"{sent.request.verb} {sent.request.resource.plural}"
        for sent in operator.wire.changes()
        if not is_status(sent)
    ]


def is_status(sent: Sent) -> bool:
    """Return whether a request writes the status annotation of a set and nothing else."""
    request = sent.request
    if request.verb != "patch" or request.resource.plural != "statefulsets":
        return False
    body = json.loads(request.body or b"{}")
    metadata = body.get("metadata", {})
    is_small = body.keys() == {"metadata"} and metadata.keys() <= {"uid", "annotations"}
    return is_small and set(metadata.get("annotations", {})) == {f"{PREFIX}status"}


def metric(operator: Operator, name: str, /, **labels: str) -> float:
    """Return the sum of a metric's samples that have these labels."""
    return operator.metric(name, **labels)


def reasons(sets: Sets, name: str) -> list[str]:
    """Return the reasons of the operator's Events about a set."""
    return [reason for reason, _ in sets.events(name)]


def backups(sets: Sets, operator_namespace: str) -> list[str]:
    """Return the names of the backups that are kept."""
    found = sets.cluster.list("configmap", operator_namespace, "app.kubernetes.io/component=backup")
    return [each["metadata"]["name"] for each in found]


def wait_killed(sets: Sets, operator: Operator) -> None:
    """Return when an operator has met its Crash, and end what is left of it."""
    sets.wait(lambda: operator.wire.is_dead, "the operator is killed")
    operator.kill()


def count(operator: Operator, words: str) -> int:
    """Return how many accepted changes are of this kind, as `writes` names them."""
    return writes(operator).count(words)
