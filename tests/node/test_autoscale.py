"""Volumes that fill on a real node grow before they are full, and the writer never fails.

In each case samples are of a second (of two through Prometheus), a look is each second, and the
cooldown is 20 seconds.
"""

from contextlib import AbstractContextManager
from functools import partial

import pytest
from yarl import URL

from rso.app.usage.prometheus import PrometheusSettings
from testbed.cluster import Cluster
from tests.node.database import MIB, filesystem_bytes, restarts
from tests.node.filler import crowding, filling, has_written_all
from tests.node.observer import Observer
from tests.support.autoscalers import Scaler, scaler_settings, scaling
from tests.support.fixtures import Run
from tests.support.sets import PREFIX, Json, Sets, Snapshot, check_unharmed, template_sizes

RATE = 4.0  # MiB in a second, in each Pod: 18 seconds from the threshold to the end
LOOK_SECONDS = 1.0  # as often as the test bed's kubelet measures
MEBIBYTES = 420
FILES = 10500  # 1 % of 300Mi has room for 6,144 inodes, of 600Mi for 12,288
POLICY = {
    f"{PREFIX}auto-scaled": "true",
    f"{PREFIX}grow-at": "70%",
    f"{PREFIX}grow-by": "300Mi",
    f"{PREFIX}cooldown": "20s",
    f"{PREFIX}steps-per-day": "2",
}
SECONDS = 240.0

pytestmark = pytest.mark.timeout(500)


class Filling:
    """A set that fills, with a resizer and an autoscaler, and what became of it."""

    def __init__(
        self, sets: Sets, run: Run, cluster: Cluster, observer: Observer, own_namespace: str
    ) -> None:
        self._sets = sets
        self._run = run
        self._cluster = cluster
        self._observer = observer
        self._own_namespace = own_namespace

    def grows_twice(self, made: Json, **settings: object) -> None:
        """Let a set of 300Mi fill until all is written, and check that it was well all the time."""
        sets = self._sets
        sets.make(made)
        before = Snapshot.of(sets, "db")
        with self._run(template_follows="always"), self._scaling(**settings):
            sets.wait_status("db", "Done: data=600Mi", SECONDS)
            sets.wait_status("db", "Done: data=900Mi", SECONDS)
            for pod in sets.pods("db"):
                sets.wait(partial(has_written_all, sets, pod), "all is written", SECONDS)
        self._check(before)

    def _scaling(self, **settings: object) -> AbstractContextManager[Scaler]:
        chosen = {"interval_seconds": LOOK_SECONDS, **settings}
        told = scaler_settings(self._cluster, self._own_namespace, **chosen)
        return scaling(self._cluster, self._sets.namespace, told)

    def _check(self, before: Snapshot) -> None:
        sets = self._sets
        after = Snapshot.of(sets, "db")
        assert {"data": "900Mi"} == template_sizes(after.statefulset)
        assert {"900Mi"} == set(sets.requests().values())
        assert restarts(sets, "db") == 0
        check_unharmed(before, after)
        for pod in sets.pods("db"):
            assert 1 == len(self._observer.pod_uids(pod))
            assert filesystem_bytes(sets, pod) > 830 * MIB


@pytest.fixture
def fills(
    sets: Sets, run: Run, cluster: Cluster, observer: Observer, operator_namespace: str
) -> Filling:
    """Return what lets a set fill."""
    return Filling(sets, run, cluster, observer, operator_namespace)


def test_it_grows_twice_before_it_is_full(fills: Filling) -> None:
    """Three writers of 4 MiB/s: 300Mi, 600Mi, 900Mi; template and all replicas follow."""
    fills.grows_twice(filling(MEBIBYTES, RATE, POLICY, size="300Mi", replicas=3))


def test_it_grows_twice_before_inodes_run_out(fills: Filling) -> None:
    """Empty files fill an xfs whose inodes may take 1 %; the bytes are nearly all free."""
    made = crowding(FILES, POLICY, size="300Mi", replicas=1)

    fills.grows_twice(made)


def test_prometheus_is_enough(fills: Filling, port: int) -> None:
    """A real Prometheus that scrapes the kubelet says it in time, and nobody else is asked."""
    settings = PrometheusSettings(url=URL(f"http://127.0.0.1:{port}"))

    fills.grows_twice(
        filling(MEBIBYTES, RATE * 3 / 4, POLICY, size="300Mi", replicas=1),
        sources=("prometheus",),
        prometheus=settings,
    )


def test_exec_is_enough(fills: Filling) -> None:
    """`df` in the Pod says it in time, and nobody else is asked."""
    made = filling(MEBIBYTES, RATE, POLICY, size="300Mi", replicas=1)

    fills.grows_twice(made, sources=("exec",))
