"""What keeps an operator waiting, brought about and ended."""

import dataclasses

from tests.support.scene import Scene

_QUOTA = "no-pods"


def keep_pod_away(scene: Scene) -> None:
    """Delete the Pod, and let a quota forbid its successor."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": _QUOTA},
        "spec": {"hard": {"pods": "0"}},
    }
    scene.cluster.apply(quota, scene.namespace)
    path = scene.cluster.api.resource("pod").path(scene.namespace, "db-0")
    scene.cluster.api.request("DELETE", path, {"gracePeriodSeconds": 0})
    scene.wait(lambda: not scene.sets.pods("db"), "the Pod is away")


def let_pod_come(scene: Scene) -> None:
    """End `keep_pod_away`; from here on the new Pod counts as the initial one."""
    scene.cluster.delete("resourcequota", _QUOTA, scene.namespace)
    scene.wait(lambda: scene.sets.pods("db"), "the Pod is back")
    assert scene.initial is not None
    scene.initial = dataclasses.replace(scene.initial, pods=scene.sets.pods("db"))


def set_ready(scene: Scene, *, is_ready: bool) -> None:
    """Make Pod 0 ready or not, and return when the set's status says so."""
    condition = {"type": "Ready", "status": str(is_ready)}
    path = f"/api/v1/namespaces/{scene.namespace}/pods/db-0/status"
    body = {"status": {"conditions": [condition]}}
    scene.cluster.api.request("PATCH", path, body, "application/strategic-merge-patch+json")
    scene.wait(
        lambda: scene.sets.get("db")["status"].get("readyReplicas", 0) == int(is_ready),
        "the set knows of its Pod",
    )
