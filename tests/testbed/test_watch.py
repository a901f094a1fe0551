"""Following objects as they change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.watch import Watch

if TYPE_CHECKING:
    from testbed.api import Object
    from testbed.cluster import Cluster


def config_map(name: str, text: str) -> Object:
    """Return a ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {"text": text},
    }


def test_each_change_is_told_once(cluster: Cluster, namespace: str) -> None:
    """What is there is told at the start, then each change in its order, until the stop."""
    told: list[tuple[str, str, str]] = []

    def see(_at: float, change: str, found: Object) -> None:
        if found["metadata"]["name"] != "kube-root-ca.crt":
            told.append((change, found["metadata"]["name"], found["data"]["text"]))

    cluster.apply(config_map("first", "1"), namespace)
    watch = Watch(cluster.api, "configmap", namespace, see).start()
    cluster.apply(config_map("second", "1"), namespace)
    cluster.apply(config_map("first", "2"), namespace)
    cluster.delete("configmap", "second", namespace)
    cluster.wait(lambda: len(told) == 4, 10, "four changes")
    watch.stop()
    cluster.apply(config_map("third", "1"), namespace)

    assert told == [
        ("ADDED", "first", "1"),
        ("ADDED", "second", "1"),
        ("MODIFIED", "first", "2"),
        ("DELETED", "second", "1"),
    ]
