"""The first process of a bed's namespaces: it starts the components, and again when they end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from testbed import components
from testbed.api import admin_api
from testbed.bed import bed_from_json
from testbed.node import import_images, prepare_node
from testbed.process import run, wait_until

if TYPE_CHECKING:
    from testbed.bed import Bed
    from testbed.components import Component

API_SECONDS = 60.0
RESTART_SECONDS = 0.5
# A program that ends this often within a second of its start will not get better.
HOPELESS_STARTS = 3


class Supervisor:
    """Starts components and keeps them running; STATE/pids has their ids inside the bed."""

    def __init__(self, bed: Bed) -> None:
        self._bed = bed
        self._running: dict[int, tuple[Component, float]] = {}
        self._hopeless: dict[str, int] = {}

    def start(self, component: Component) -> None:
        """Start a component; what it prints goes to STATE/logs."""
        with self._bed.path("logs", f"{component.name}.log").open("ab") as log:
            process = subprocess.Popen(
                component.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        # The supervisor reaps by itself, also what its components left behind.
        process.returncode = 0
        self._running[process.pid] = (component, time.monotonic())
        self._bed.path("pids", component.name).write_text(str(process.pid))

    def run(self) -> None:
        """Start again whatever ends, for ever."""
        while True:
            self._ended(*os.wait())

    def restart_ended(self) -> None:
        """Start again what has ended by now."""
        while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            self._ended(*ended)

    def _ended(self, pid: int, status: int) -> None:
        if pid not in self._running:
            return
        component, started = self._running.pop(pid)
        print(f"{component.name} ended with status {status}", flush=True)
        self._count(component.name, time.monotonic() - started)
        time.sleep(RESTART_SECONDS)
        self.start(component)

    def _count(self, name: str, lived_seconds: float) -> None:
        starts = self._hopeless.get(name, 0) + 1 if lived_seconds < 1 else 0
        self._hopeless[name] = starts
        if starts >= HOPELESS_STARTS:
            self._bed.path("failed").write_text(name)


def supervise() -> None:
    """Run a bed until killed; the bed comes as one line on stdin.

    No line means that ``up`` died before it had written down what to end: then nothing starts.
    """
    line = sys.stdin.readline()
    if not line:
        return
    bed = bed_from_json(line)
    run("ip", "link", "set", "lo", "up")
    if bed.options.node:
        prepare_node(bed)
    supervisor = Supervisor(bed)
    for component in components.first_components(bed):
        supervisor.start(component)
    if bed.options.node:
        import_images(bed)
    api = admin_api(bed)

    def api_is_ready() -> bool:
        supervisor.restart_ended()
        return api.is_ready()

    wait_until(api_is_ready, API_SECONDS, "kube-apiserver")
    for component in components.later_components(bed):
        supervisor.start(component)
    supervisor.run()
