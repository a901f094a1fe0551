"""Fifty sets of three Pods, wished for at once: how long each is absent, and until all are done."""

import time
from pathlib import Path
from typing import Any

from bench.beds import bed, kubernetes_version
from bench.machine import ran_on, start
from bench.resizer import running
from bench.resizes import Resize, p99, scene, told
from bench.summary import spread

QPS = ((20, 30), (200, 400))
SETS = 50
ROUNDS = 6
REST_SECONDS = 5.0  # the controllers adopt the last sets, and may send a full burst again
GOALS = {"absence_seconds.p99": 0.15, "all_done_seconds.max": 20.0}


def measure(state: Path | None) -> list[dict[str, Any]]:
    """Return one result for each limit of the controller manager."""
    return [_measure(state, *limit) for limit in (QPS if state is None else QPS[:1])]


def _measure(state: Path | None, qps: int, burst: int) -> dict[str, Any]:
    flags = (f"--controller-qps={qps}", f"--controller-burst={burst}")
    begun = start()
    with (
        bed(state, "--storage", "--fake-nodes=3", *flags) as cluster,
        running(cluster),
        scene(cluster, SETS) as stage,
    ):
        rounds: list[list[Resize]] = []
        for number in range(ROUNDS):
            rounds.append(stage.resize(f"{number + 2}Gi"))
            time.sleep(REST_SECONDS)
        machine = ran_on(begun, kubernetes_version(cluster))
    every = [each for resizes in rounds for each in resizes]
    all_done = [
        max(each.done for each in resizes) - min(each.wished for each in resizes)
        for resizes in rounds
    ]
    all_recreated = [
        max(each.recreated for each in resizes) - min(each.wished for each in resizes)
        for resizes in rounds
    ]
    worst = max(p99([each.absence for each in resizes]) for resizes in rounds)
    return {
        "figure": "fifty-sets",
        "unit": "seconds",
        "options": {"sets": SETS, "pods": 3, "rounds": ROUNDS, "qps": qps, "burst": burst},
        "values": {
            **told(every),
            "all_recreated_seconds": spread(all_recreated),
            "all_done_seconds": spread(all_done),
            "worst_round_absence_p99_seconds": worst,
        },
        "goal": GOALS,
        "is_met": p99([each.absence for each in every]) < GOALS["absence_seconds.p99"]
        and max(all_done) < GOALS["all_done_seconds.max"],
        "ran_on": machine,
    }
