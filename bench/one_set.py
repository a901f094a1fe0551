"""One set of three Pods, wished for again and again: how long until it is there again."""

import time
from pathlib import Path
from typing import Any

from bench.beds import bed, kubernetes_version
from bench.machine import ran_on, start
from bench.resizer import running
from bench.resizes import Resize, median, p99, scene, told

QPS = ((20, 30), (200, 400))
RUNS = 100
REST_SECONDS = 1.5  # so long until the controllers may send a full burst again
GOALS = {
    "wish_to_recreated_without_volumes_seconds.p50": 0.3,
    "absence_seconds.p99": 0.1,
}


def measure(state: Path | None) -> list[dict[str, Any]]:
    """Return one result for each limit of the controller manager."""
    return [_measure(state, *limit) for limit in (QPS if state is None else QPS[:1])]


def _measure(state: Path | None, qps: int, burst: int) -> dict[str, Any]:
    flags = (f"--controller-qps={qps}", f"--controller-burst={burst}")
    begun = start()
    with (
        bed(state, "--storage", "--fake-nodes=3", *flags) as cluster,
        running(cluster),
        scene(cluster, 1) as stage,
    ):
        resizes: list[Resize] = []
        for number in range(RUNS):
            resizes += stage.resize(f"{number + 2}Gi")
            time.sleep(REST_SECONDS)
        machine = ran_on(begun, kubernetes_version(cluster))
    own = [each.recreated - each.wished - each.volumes for each in resizes]
    return {
        "figure": "one-set",
        "unit": "seconds",
        "options": {"sets": 1, "pods": 3, "runs": RUNS, "qps": qps, "burst": burst},
        "values": told(resizes),
        "goal": GOALS,
        "is_met": median(own) < GOALS["wish_to_recreated_without_volumes_seconds.p50"]
        and p99([each.absence for each in resizes]) < GOALS["absence_seconds.p99"],
        "ran_on": machine,
    }
