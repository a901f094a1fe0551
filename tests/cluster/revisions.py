"""Revisions of a set's Pods: how a test makes a new one, and which one a Pod has."""

from tests.support.sets import Sets


def change_template(sets: Sets) -> None:
    """Give the Pod template of `db` an annotation: a new revision."""
    metadata = {"metadata": {"annotations": {"restartedAt": "now"}}}
    sets.cluster.merge("statefulset", "db", sets.namespace, {"spec": {"template": metadata}})

    def has_two() -> bool:
        status = sets.get("db")["status"]
        return bool(status["updateRevision"] != status["currentRevision"])

    sets.wait(has_two, "there is a new revision")


def revision(sets: Sets, pod: str) -> str:
    """Return the revision of a Pod of `db`; empty while there is none."""
    found = sets.pods("db").get(pod, {"metadata": {"labels": {}}})
    return str(found["metadata"]["labels"].get("controller-revision-hash", ""))


def pod_uid(sets: Sets, pod: str) -> str:
    """Return the uid of a Pod of `db`; empty while there is none."""
    found = sets.pods("db").get(pod, {"metadata": {"uid": ""}})
    return str(found["metadata"]["uid"])


def replace_pod(sets: Sets, pod: str) -> None:
    """Delete a Pod of `db` at once, and return when the set has made it again."""
    old = pod_uid(sets, pod)
    path = sets.cluster.api.resource("pod").path(sets.namespace, pod)
    sets.cluster.api.request("DELETE", path, {"gracePeriodSeconds": 0})
    sets.wait(lambda: pod_uid(sets, pod) not in ("", old), f"Pod {pod} is made again")
