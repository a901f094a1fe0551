"""A resizer with nothing to do: memory, CPU and requests at 1,000 and at 10,000 sets."""

import time
from pathlib import Path
from typing import Any

from bench.beds import bed, kubernetes_version
from bench.crowd import CLAIMS, fill
from bench.machine import ran_on, start
from bench.resizer import Cost, running
from testbed.cluster import Cluster

SETS = (1_000, 10_000)
SETTLE_SECONDS = 15.0
IDLE_SECONDS = 60.0
GOALS = {"rss_mib": 120, "cpu_seconds_a_minute": 0.5, "other_requests_a_minute": 0}
# No other controller: none would know what to do with so many sets without Pods.
FLAGS = ("--controller-manager-flag=--controllers=namespace-controller",)
BACKGROUND = ("watch ", "get leases", "update leases")


def measure(state: Path | None) -> list[dict[str, Any]]:
    """Return one result for each number of sets."""
    results = []
    with bed(state, *FLAGS) as cluster:
        written = 0
        for count in SETS:
            fill(cluster, written, count)
            written = count
            results.append(_measure(cluster, count))
    return results


def _measure(cluster: Cluster, count: int) -> dict[str, Any]:
    begun = start()
    started = time.monotonic()
    with running(cluster) as operator:
        synced = operator.cost()
        time.sleep(SETTLE_SECONDS)
        first = operator.cost()
        time.sleep(IDLE_SECONDS)
        last = operator.cost()
    values = {
        "start_seconds": round(synced.at - started, 2),
        "start_cpu_seconds": synced.cpu_seconds,
        "rss_mib_after_sync": synced.rss_mib,
        "rss_mib": last.rss_mib,
        "peak_mib": last.peak_mib,
        **_a_minute(first, last),
    }
    return {
        "figure": "idle",
        "unit": "MiB, seconds, requests",
        "options": {"sets": count, "claims": count * CLAIMS, "seconds": IDLE_SECONDS},
        "values": values,
        "goal": GOALS,
        "is_met": values["rss_mib"] < GOALS["rss_mib"]
        and values["cpu_seconds_a_minute"] < GOALS["cpu_seconds_a_minute"]
        and values["other_requests_a_minute"] <= GOALS["other_requests_a_minute"],
        "ran_on": ran_on(begun, kubernetes_version(cluster)),
    }


def _a_minute(first: Cost, last: Cost) -> dict[str, float]:
    minutes = (last.at - first.at) / 60
    sent = {what: last.requests[what] - first.requests.get(what, 0) for what in last.requests}
    other = sum(number for what, number in sent.items() if not what.startswith(BACKGROUND))
    return {
        "cpu_seconds_a_minute": round((last.cpu_seconds - first.cpu_seconds) / minutes, 3),
        "requests_a_minute": round(sum(sent.values()) / minutes, 1),
        "other_requests_a_minute": round(other / minutes, 1),
    }
