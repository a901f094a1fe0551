"""python -m bench.asker AUTHORITY PORT NODES CLAIMS LOOKS: an autoscaler's looks, for their cost.

One set for each node, with so many replicas. What caches hold is made here, and belongs to idle; a
look asks every kubelet, remembers and decides. It prints what that costs as JSON.
"""

import asyncio
import gc
import json
import resource
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import uvloop
from prometheus_client import CollectorRegistry

from bench.kubelets import TIME, address, claim, pod_uid
from rso.app.looks import Looks
from rso.app.measure import Measurer
from rso.app.mounts import Mount, MountingPod, PodIdentity
from rso.app.scaler_metrics import ScalerMetrics
from rso.app.scaler_notices import ScalerNotices
from rso.app.settings import AutoscalerSettings
from rso.app.usage.kubelet import KubeletSettings, KubeletSource
from rso.core.model import (
    Claim,
    ClaimSpec,
    ClaimStatus,
    ClaimTemplate,
    Labels,
    Metadata,
    OwnAnnotations,
    Quantities,
    Resources,
    Selector,
    StatefulSet,
    StatefulSetSpec,
)
from rso.core.names import AUTO_SCALED
from rso.kube.auth import Anonymous, tls
from rso.kube.clock import SystemClock
from rso.kube.recorder import Recorder

if TYPE_CHECKING:
    from rso.app.scaler_caches import ScalerCaches
    from rso.kube.client import Client

LABELS = Labels({"app": "db"})
SIZE = Quantities({"storage": "10Gi"})
MIB = 2**20


class At(SystemClock):
    """A clock that stood at the kubelets' time when this process began."""

    def __init__(self) -> None:
        self._ahead = datetime.now(UTC) - datetime.fromisoformat(TIME) - timedelta(seconds=1)  # noqa: TID251  the bench's own clock

    def now(self) -> datetime:
        return super().now() - self._ahead


class Crowd:
    """What the caches of an autoscaler would hold, and answer."""

    def __init__(self, nodes: int, claims: int) -> None:
        self._claims = {node: [_claim(node, pod) for pod in range(claims)] for node in range(nodes)}
        self._pods = {
            each.metadata.name: (_pod(node, pod),)
            for node, found in self._claims.items()
            for pod, each in enumerate(found)
        }
        self._sets = {_set_name(node): node for node in range(nodes)}
        self._all = tuple(_set(node, claims) for node in range(nodes))

    def statefulsets(self) -> tuple[StatefulSet, ...]:
        return self._all

    def claims(self, statefulset: StatefulSet) -> Iterator[Claim]:
        yield from self._claims[self._sets[statefulset.metadata.name]]

    def pods(self, _: StatefulSet, claim: Claim) -> tuple[MountingPod, ...]:
        return self._pods[claim.metadata.name]


def _set_name(node: int) -> str:
    return f"db-{node}"


def _set(node: int, replicas: int) -> StatefulSet:
    metadata = Metadata(
        _set_name(node), "shop", f"set-{node}", annotations=OwnAnnotations({AUTO_SCALED: "true"})
    )
    template = ClaimTemplate(Metadata("data"), ClaimSpec(resources=Resources(SIZE)))
    spec = StatefulSetSpec(replicas, Selector(LABELS), (template,))
    return StatefulSet(metadata, spec)


def _claim(node: int, pod: int) -> Claim:
    metadata = Metadata(claim(node, pod), "shop", f"claim-{pod_uid(node, pod)}", labels=LABELS)
    return Claim(metadata, ClaimSpec(resources=Resources(SIZE)), ClaimStatus("Bound", SIZE))


def _pod(node: int, pod: int) -> MountingPod:
    identity = PodIdentity(f"db-{node}-{pod}", "shop", pod_uid(node, pod))
    mounts = (Mount(claim(node, pod), "main", "/data"),)
    return MountingPod(identity, f"set-{node}", f"node-{node}", address(node), mounts)


async def look(authority: Path, port: int, crowd: Crowd, looks: int) -> dict[str, Any]:
    """Return the cost of each look; the first one pays for what is loaded once."""
    clock, metrics = At(), ScalerMetrics(CollectorRegistry())
    source = KubeletSource(KubeletSettings(port=port), Anonymous(tls(authority)), clock)
    limits, caches = AutoscalerSettings().limits, cast("ScalerCaches", crowd)
    nobody = cast("Client", None)  # nothing is full, so nothing is written
    notices = ScalerNotices(Recorder(nobody, "bench", "bench", clock), metrics)
    measurer = Measurer(caches, source, limits.defaults, metrics, clock)
    looking = Looks(caches, measurer, limits, nobody, notices, clock)
    gc.collect()
    idle, told = _mib("VmRSS"), []
    for _ in range(looks):
        used, began = _cpu_seconds(), time.monotonic()
        await looking.look()
        told.append(
            {
                "cpu_seconds": round(_cpu_seconds() - used, 3),
                "seconds": round(time.monotonic() - began, 3),
                "rss_mib": _mib("VmRSS"),
            }
        )
    await source.close()
    below = 'rso_autoscaled_claims{reason="BelowThreshold"} '
    page = metrics.render().decode()
    judged = next(line for line in page.splitlines() if line.startswith(below))
    return {
        "idle_mib": idle,
        "peak_mib": _mib("VmHWM"),
        "judged": float(judged.removeprefix(below)),
        "looks": told,
    }


def main(authority: str, *counts: str) -> None:
    """Look and print."""
    port, nodes, claims, looks = map(int, counts)
    crowd = Crowd(nodes, claims)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(look(Path(authority), port, crowd, looks))))


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _mib(name: str) -> float:
    """Return a size in /proc, which is in KiB although it says kB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return round(int(line.split()[1]) / 1024, 1)
    raise LookupError(name)


if __name__ == "__main__":
    main(*sys.argv[1:])
