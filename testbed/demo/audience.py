"""Those who look on: watches, and a look at the newest records four times a second."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from testbed import writer
from testbed.demo.lines import Log
from testbed.demo.scene import VOLUME
from testbed.process import BedError
from testbed.watch import Watch

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.cluster import Cluster
    from testbed.demo.scene import Scene

LOOK_SECONDS = 0.25


class Audience:
    """Keeps a scene up to date, in the background, from ``start`` to ``stop``."""

    def __init__(self, cluster: Cluster, namespace: str, scene: Scene, log: Path) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._scene = scene
        self._log = Log(log)
        seen = {"sts": scene.see_statefulset, "pod": scene.see_pod, "pvc": scene.see_claim}
        self._watches = [Watch(cluster.api, kind, namespace, seen[kind]) for kind in seen]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to look."""
        for watch in self._watches:
            watch.start()
        self._thread.start()

    def stop(self) -> None:
        """End; harmless when the cluster is gone."""
        self._stopping.set()
        for watch in self._watches:
            watch.stop()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            self._scene.lines += self._log.new_lines()
            for pod in sorted(self._scene.pods):
                self._look_at(pod)

    def _look_at(self, pod: str) -> None:
        try:
            record = writer.last_record(self._cluster, self._namespace, pod, VOLUME)
        except (OSError, BedError):
            return  # a look is not worth a failure: the journals are checked at the end
        self._scene.see_record(pod, record)
