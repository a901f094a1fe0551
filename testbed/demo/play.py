"""What is done, in order: a cluster, a set that writes, the operator, a wish, a fourth replica."""

from __future__ import annotations

import contextlib
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING

from testbed import lifecycle, writer
from testbed.bed import Options
from testbed.cache import built_programs
from testbed.cluster import Cluster
from testbed.demo import summary
from testbed.demo.audience import Audience
from testbed.demo.scene import NAME, NEW_POD, PODS, REPLICAS, VOLUME, WISH, Scene, statefulset
from testbed.demo.screen import screen
from testbed.demo.steps import Steps
from testbed.process import BedError, wait_until
from testbed.resizer import Resizer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rich.console import Console

NAMESPACE = "demo"
POD_SECONDS = 60
RESIZE_SECONDS = 60
# So old must a Pod be before the operator calls its set quiet; a second more, for rounded times.
QUIET_SECONDS = 6
RECORDS = 40  # of each Pod, before the wish and after it


class Play:
    """One demo, and all that must be ended after it."""

    def __init__(self, state: Path, console: Console) -> None:
        self._state = state
        self._programs = built_programs()
        self._console = console
        self._steps = Steps()
        self._scene = Scene()
        self._screen = screen(console, self._steps, self._scene)
        self._cluster: Cluster | None = None
        self._resizer: Resizer | None = None
        self._audience: Audience | None = None

    def run(self) -> int:
        """Play; return 0 when every promise held, else 1.

        Raises: BedError, when something does not come about in time.
        """
        self._screen.start()
        try:
            cluster = self._bring_up()
            self._make_set(cluster)
            self._start_resizer()
            self._write("The Pods write for some seconds")
            self._wish(cluster)
            self._write("The Pods write on")
            self._scale_up(cluster)
            journals = self._read_journals(cluster)
        finally:
            self._stop_looking()
        found = summary.checks(self._scene, journals)
        stages = summary.times(self._scene, journals)
        self._console.print(summary.picture(found, stages, self._steps))
        broken = [f"{check.promise}: {check.found}" for check in found if not check.holds]
        for sentence in broken:
            self._console.print(f"demo: this did not hold: {sentence}", markup=False)
        return 1 if broken else 0

    @property
    def is_up(self) -> bool:
        """Whether there is something to look at."""
        return self._cluster is not None and self._resizer is not None

    def leave(self) -> None:
        """Leave all running, and tell how to use and to end it: the operator ends with the bed."""
        if self._cluster is None or self._resizer is None:
            return
        self._resizer.leave()
        self._console.print(
            f"Left running. Use it:\n"
            f"  export KUBECONFIG={self._cluster.kubeconfig}\n"
            f"  {self._cluster.bed.program('kubectl')} -n {NAMESPACE} get sts,pods,pvc\n"
            f"  tail -f {self._resizer.log}\n"
            f"End it:\n"
            f"  {sys.executable} -m testbed down --state {self._state}",
            markup=False,
            soft_wrap=True,
        )

    def end(self) -> None:
        """End and remove everything, whatever there is of it."""
        began = time.monotonic()
        # Last in, first out, and each whatever the others come to: a terminal may be gone.
        with contextlib.ExitStack() as stack:
            stack.callback(lifecycle.down, self._state)
            if self._resizer is not None:
                stack.callback(self._resizer.stop)
            stack.callback(self._stop_looking)
        self._console.print(f"Everything ended and removed in {time.monotonic() - began:.1f} s.")

    def _bring_up(self) -> Cluster:
        with self._steps.step("cluster", "Kubernetes with a node and a CSI driver") as step:
            lifecycle.up(self._state, self._programs, Options(node=True))
            self._cluster = cluster = Cluster(self._state)
            version = cluster.api.request("GET", "/version")["gitVersion"]
            step.text = f"Kubernetes {version} with a node and a CSI driver"
        return cluster

    def _make_set(self, cluster: Cluster) -> None:
        with self._steps.step("Pods", f"StatefulSet {NAME}: {REPLICAS} Pods that write on xfs"):
            cluster.apply(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
            )
            account = {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": "default"},
            }
            cluster.apply(account, NAMESPACE)
            self._resizer = Resizer(cluster)
            self._audience = Audience(cluster, NAMESPACE, self._scene, self._resizer.log)
            self._audience.start()
            cluster.apply(statefulset(), NAMESPACE)
            wait_until(lambda: self._writing(*PODS), POD_SECONDS, "Pods that write")

    def _start_resizer(self) -> None:
        with self._steps.step("operator", "The operator: rso resizer"):
            if self._resizer is not None:
                self._resizer.start()

    def _write(self, text: str) -> None:
        with self._steps.step("writing", text):
            last = {pod: record.number for pod, record in self._scene.records.items()}
            wait_until(lambda: self._is_quiet(last), POD_SECONDS, "Pods that write")

    def _wish(self, cluster: Cluster) -> None:
        with self._steps.step("resize", "The wish for 1Gi comes true"):
            self._scene.wished_at = time.time()
            cluster.kubectl("annotate", f"--namespace={NAMESPACE}", "statefulset", NAME, WISH)
            wait_until(self._is_fulfilled, RESIZE_SECONDS, "the wish is fulfilled")

    def _scale_up(self, cluster: Cluster) -> None:
        with self._steps.step("scale-up", "A fourth replica"):
            replicas = f"--replicas={REPLICAS + 1}"
            cluster.kubectl("scale", f"--namespace={NAMESPACE}", "statefulset", NAME, replicas)
            wait_until(lambda: self._writing(NEW_POD), POD_SECONDS, f"{NEW_POD} writes")

    def _read_journals(self, cluster: Cluster) -> dict[str, writer.Journal]:
        with self._steps.step("check", "Every record is read back and checked"):
            pods = (*PODS, NEW_POD)
            return {pod: writer.read_journal(cluster, NAMESPACE, pod, VOLUME) for pod in pods}

    def _writing(self, *pods: str) -> bool:
        return self._scene.records.keys() >= set(pods)

    def _is_quiet(self, last: Mapping[str, int]) -> bool:
        records = self._scene.records
        if any(records[pod].number < last[pod] + RECORDS for pod in last):
            return False
        created = [pod["metadata"]["creationTimestamp"] for pod in self._scene.pods.values()]
        youngest = max(datetime.fromisoformat(each).timestamp() for each in created)
        return time.time() - youngest > QUIET_SECONDS

    def _is_fulfilled(self) -> bool:
        if self._scene.status.startswith("Blocked"):
            raise BedError(f"the operator says {self._scene.status}")
        return self._scene.is_finished

    def _stop_looking(self) -> None:
        if self._audience is not None:
            self._audience.stop()
        self._screen.stop()
