"""The ways in which people change a set, and what they are left with."""

import json
from collections.abc import Callable

from tests.support.reviewers import kubectl
from tests.support.sets import PREFIX, Sets, statefulset, template_sizes

TAKEN = (
    "data: 1Gi -> 2Gi is taken as a wish; every claim grows and no Pod restarts; watch it: kubectl "
    "rso status db -n {namespace} -w"
)
WISH = {"resize-0": "2Gi", "declared-0": "2Gi", "status": "Waiting: data=2Gi"}
OWN_WORDS = "field is immutable"  # what Kubernetes 1.37 says


def own(sets: Sets) -> dict[str, str]:
    """Return our annotations of `db`, without the prefix."""
    annotations = sets.get("db")["metadata"].get("annotations", {})
    return {k.removeprefix(PREFIX): v for k, v in annotations.items() if k.startswith(PREFIX)}


def is_observed(sets: Sets) -> bool:
    """Return whether the StatefulSet controller has nothing more to write."""
    found = sets.get("db")
    seen = found.get("status", {}).get("observedGeneration")
    return bool(seen == found["metadata"]["generation"] and found["status"].get("updateRevision"))


def manifest(size: str = "1Gi", log: str = "", **annotations: str) -> str:
    """Return the manifest that a person has in Git, with a second template if it has a size."""
    own = {PREFIX + key.replace("_", "-"): text for key, text in annotations.items()}
    sizes = {"data": size} | ({"log": log} if log else {})
    return json.dumps(statefulset(replicas=0, sizes=sizes, annotations=own))


def start(sets: Sets, way: "Way", text: str) -> None:
    """Create the set as the person who changes it in this way would have.

    The StatefulSet controller has written its first status afterwards: `kubectl replace` reads a
    version and insists on it.
    """
    server_apply(sets, text) if way is server_apply else client_apply(sets, text)
    sets.wait(lambda: is_observed(sets), "the controller has seen the set")


def client_apply(sets: Sets, text: str) -> str:
    return run(sets, "apply", "-f", "-", stdin=text)


def server_apply(sets: Sets, text: str) -> str:
    return run(sets, "apply", "--server-side", "-f", "-", stdin=text)


def replace(sets: Sets, text: str) -> str:
    return run(sets, "replace", "-f", "-", stdin=text)


def json_patch(sets: Sets, text: str) -> str:
    operations = [
        {
            "op": "replace",
            "path": f"/spec/volumeClaimTemplates/{index}/spec/resources/requests/storage",
            "value": size,
        }
        for index, size in enumerate(template_sizes(json.loads(text)).values())
    ]
    return run(sets, "patch", "sts", "db", "--type=json", "-p", json.dumps(operations))


def edit(sets: Sets, text: str) -> str:
    """Send what `kubectl edit` sends: a patch with the list of templates."""
    templates = json.loads(text)["spec"]["volumeClaimTemplates"]
    body = json.dumps({"spec": {"volumeClaimTemplates": templates}})
    return run(sets, "patch", "sts", "db", "--type=merge", "-p", body)


def run(sets: Sets, *arguments: str, stdin: str = "") -> str:
    ran = kubectl(sets.cluster, "-n", sets.namespace, *arguments, stdin=stdin)
    return ran.stdout + ran.stderr


WAYS = [client_apply, server_apply, replace, json_patch, edit]
MANIFESTS = [client_apply, server_apply, replace]
Way = Callable[[Sets, str], str]
