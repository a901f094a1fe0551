"""What keeps an operator waiting, brought about."""

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
