"""SIGTERM while the API server refuses the create of a set that is away (a webhook, for dry: no).

The kubelet kills 30 s after its SIGTERM.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rso.app.leader import LEASE
from tests.cluster.looks import backups
from tests.cluster.processes import Process, resizer
from tests.support.recording import Record
from tests.support.sets import Json, Sets, statefulset, template_sizes
from tests.support.webhooks import webhook

KILL_SECONDS = 30.0  # terminationGracePeriodSeconds, if nobody sets it


class Gate:
    """Refuses creates that are not dry while it is shut."""

    def __init__(self) -> None:
        self.is_shut = True
        self.refused = 0

    def review(self, request: Json) -> Json:
        """Return the response of the webhook."""
        if request["dryRun"] or not self.is_shut:
            return {"allowed": True}
        self.refused += 1
        return {"allowed": False, "status": {"code": 403, "message": "not now"}}


@contextmanager
def absent(sets: Sets, directory: Path, gate: Gate, *flags: str) -> Iterator[Process]:
    """Yield a resizer whose set is away, since its create is refused while the gate is shut."""
    sets.make(statefulset(replicas=0))
    with (
        webhook(sets.cluster, sets.namespace, directory, gate.review),
        resizer(sets, directory, *flags) as process,
    ):
        sets.annotate("db", resize_0="2Gi")
        sets.wait(lambda: gate.refused and sets.find("db") is None, "the set is away")
        yield process


@pytest.fixture
def flags(sets: Sets, operator_namespace: str, key_dir: Path) -> tuple[str, ...]:
    """Return the flags of a resizer with the key."""
    return (
        f"--kubeconfig={sets.cluster.kubeconfig}",
        f"--operator-namespace={operator_namespace}",
        f"--key-dir={key_dir}",
    )


def test_a_set_whose_create_was_refused_comes_back_after_sigterm(
    sets: Sets, operator_namespace: str, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    """After SIGTERM the create is tried on, succeeds once it may, and the Lease is given back."""
    gate = Gate()

    with absent(sets, tmp_path, gate, *flags) as process:
        before = gate.refused
        process.popen.send_signal(signal.SIGTERM)
        sets.wait(lambda: gate.refused > before + 1, "the create is tried on")
        gate.is_shut = False
        code = process.wait()
        is_back = sets.find("db") is not None
    lease = sets.cluster.get("lease", LEASE, operator_namespace) or {}

    assert 0 == code, process.log
    assert is_back
    assert {"data": "2Gi"} == template_sizes(sets.get("db"))
    assert not lease["spec"].get("holderIdentity")


def test_a_set_that_cannot_come_back_before_the_kill_keeps_its_backup(
    sets: Sets, operator_namespace: str, tmp_path: Path, flags: tuple[str, ...], record: Record
) -> None:
    """Refused to the end, the process leaves before the kubelet kills it; the next one goes on."""
    gate = Gate()

    with absent(sets, tmp_path, gate, *flags) as process:
        asked = time.monotonic()
        process.popen.send_signal(signal.SIGTERM)
        code = process.wait()
        seconds = time.monotonic() - asked
        kept = backups(sets, operator_namespace)
        gate.is_shut = False
        with resizer(sets, tmp_path, *flags):
            sets.wait_status("db", "Done: data=2Gi")

    record(f"ended {seconds:.1f} s after SIGTERM")
    assert 0 == code, process.log
    assert seconds < KILL_SECONDS
    assert 1 == len(kept)
    assert {"data": "2Gi"} == template_sizes(sets.get("db"))
