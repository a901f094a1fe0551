"""The operator's resizer, run from this source tree against a bed, as an operator would be.

It is a process of the bed's process namespace, so the kernel ends it with the bed, also when
whoever started it was killed; its files and its network are this machine's.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.inside import living
from testbed.process import BedError, first_child, run

if TYPE_CHECKING:
    from testbed.cluster import Cluster

NAMESPACE = "rso-system"
STOP_SECONDS = 40


class Resizer:
    """The process `rso resizer`, in cluster mode, with a key and a log in the bed's directory."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.log = cluster.bed.path("logs", "rso.log")
        # nsenter: it joins the namespace, starts the resizer there, and ends when that has ended.
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make the key and the namespace, start it, and return when it leads.

        Raises: BedError, with the end of its log, when it ends or does not lead within 30 s.
        """
        keys = self._cluster.bed.path("keys")
        run(program(), "keygen", "--if-absent", str(keys))
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        self._cluster.apply(namespace)
        inside = ["nsenter", "--pid", f"--target={living(self._cluster.bed.state).pid}"]
        command = [*inside, program(), "resizer", f"--key-dir={keys}", "--metrics-bind=0"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--log-format=json", f"--operator-namespace={NAMESPACE}"],
                stdout=log,
                stderr=log,
                env=self._cluster.environment,
                # Ctrl-C is for the one who started it: that one ends it in order.
                start_new_session=True,
            )
        self._cluster.wait(self._leads, 30, "the resizer's Lease")

    def stop(self) -> None:
        """End it as Kubernetes ends a Pod: SIGTERM, then SIGKILL."""
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        """Send the resizer a signal; none when it has ended."""
        if self._process is None or self._process.poll() is not None:
            return
        resizer = first_child(self._process.pid)
        if resizer is not None:
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(resizer, number)

    def leave(self) -> None:
        """Let it run on when this process ends."""
        if self._process is not None:
            self._process.returncode = 0

    def _leads(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            last = self.log.read_text(errors="replace").splitlines()[-3:]
            raise BedError("\n".join(["the resizer ended:", *last]))
        leases = self._cluster.list("lease", NAMESPACE)
        return any(lease["spec"].get("holderIdentity") for lease in leases)


def program() -> str:
    """Return the command `rso` of the environment that runs this."""
    return str(Path(sys.executable).with_name("rso"))
