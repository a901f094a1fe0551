"""The webhook under load, beside a Flask server and kopf's: the same reviews, the same answers.

Each server is one process, asked over TLS by a Go program. All share the machine with it.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.machine import ran_on, start
from rso.app.authority import make_authority, make_leaf
from rso.kube.clock import SystemClock
from tests.support.kubelets import free_port
from tests.support.review_servers import review_of
from tests.support.reviewed import reviewed_set

ROOT = Path(__file__).parents[1]
RIVALS = ROOT / ".cache" / "bench-venv"
HOST = "webhook.rso-system.svc"
SERVERS = ("rso", "flask", "kopf")
KILOBYTES = (10, 200)
CONNECTIONS = (1, 10, 50, 200)
SECONDS = 5.0
RATE = 500
OPEN_SECONDS = 20.0
READY_SECONDS = 30.0
GOALS = {"p99_ms": 5.0, "times_flask": 10.0}
Told = dict[str, float]


def measure(_: Path | None) -> list[dict[str, Any]]:
    """Return as fast as answered for each server, and the product at 500 requests a second."""
    begun = start()
    _install()
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory))
        closed = {name: bench.closed(name) for name in SERVERS}
        paced = bench.paced()
    ratios = [
        closed["rso"][each]["per_second"] / closed["flask"][each]["per_second"]
        for each in closed["rso"]
        if each.startswith(f"{KILOBYTES[0]} KB")
    ]
    small = paced[f"{KILOBYTES[0]} KB"]
    values = {
        f"{name} {what}": each for name, all_ in closed.items() for what, each in all_.items()
    }
    values |= {f"rso {RATE}/s {what}": each for what, each in paced.items()}
    values["times_flask"] = {"least": round(min(ratios), 1), "most": round(max(ratios), 1)}
    return [
        {
            "figure": "webhook",
            "unit": "requests a second, milliseconds",
            "options": {"seconds": SECONDS, "rate": RATE, "rate_seconds": OPEN_SECONDS},
            "values": values,
            "goal": GOALS,
            "is_met": small["p99_ms"] < GOALS["p99_ms"] and min(ratios) >= GOALS["times_flask"],
            "ran_on": ran_on(begun, "none"),
        }
    ]


class Bench:
    """Certificates, reviews and the load generator, in a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        now = SystemClock().now()
        authority = make_authority(now)
        leaf = make_leaf(authority, (HOST,), now)
        for name, text in (("tls.crt", leaf.certificate), ("tls.key", leaf.key)):
            (directory / name).write_bytes(text)
        (directory / "ca.crt").write_bytes(authority.certificate)
        for size in KILOBYTES:
            (directory / f"{size}.json").write_bytes(review(size))
        (directory / "kubeconfig").write_text(json.dumps(KUBECONFIG))
        build = ["go", "build", "-o", str(directory / "load"), "."]
        subprocess.run(build, cwd=ROOT / "bench" / "load", check=True)

    def closed(self, server: str) -> dict[str, Told]:
        """Return what happens when each connection asks again as soon as it is answered."""
        with self.serving(server) as (port, _):
            return {
                f"{size} KB x{count}": self._load(port, size, connections=count, seconds=SECONDS)
                for size in KILOBYTES
                for count in CONNECTIONS
            }

    def paced(self) -> dict[str, Told]:
        """Return what happens at a rate, whatever the server does."""
        with self.serving("rso") as (port, _):
            return {
                f"{size} KB": self._load(
                    port, size, connections=50, seconds=OPEN_SECONDS, rate=RATE
                )
                for size in KILOBYTES
            }

    def _load(self, port: int, size: int, **flags: float) -> Told:
        words = [str(self._directory / "load"), f"-url=https://127.0.0.1:{port}/mutate"]
        words += [f"-ca={self._directory}/ca.crt", f"-name={HOST}"]
        words += [f"-body={self._directory}/{size}.json"]
        words += [f"-{name}={value}" for name, value in flags.items()]
        ran = subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True)
        told: Told = json.loads(ran.stdout)
        return {name: round(value, 2) for name, value in told.items()}

    @contextmanager
    def serving(self, server: str) -> Iterator[tuple[int, int]]:
        """Run a server in a process of its own; yield its port and its pid."""
        port = free_port()
        command = self._own(port) if server == "rso" else self._rival(server, port)
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        log = (self._directory / f"{server}.log").open("wb")
        with log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process:
            try:
                _wait_listening(port, process)
                yield port, process.pid
            finally:
                process.kill()

    def _own(self, port: int) -> list[str]:
        flags = f"--kubeconfig={self._directory}/kubeconfig --no-register --metrics-bind=0"
        flags += f" --tls=files --tls-dir={self._directory} --listen=127.0.0.1:{port}"
        return [str(Path(sys.executable).with_name("rso")), "webhook", *flags.split()]

    def _rival(self, server: str, port: int) -> list[str]:
        program = str(ROOT / "bench" / "rivals.py")
        return [str(RIVALS / "bin" / "python"), program, server, str(port), str(self._directory)]


# Nobody is asked: with certificates from files, and not registering itself, it needs no cluster.
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "none", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "none", "user": {}}],
    "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
    "current-context": "none",
}


def review(kilobytes: int) -> bytes:
    """Return a review of this size: 10Gi become 20Gi, the rest is the Pod template."""
    old, new = reviewed_set(), reviewed_set({"data": "20Gi"})
    text = json.dumps(review_of(new, old))
    padding = (kilobytes * 1000 - len(text)) // 2
    for each in (old, new):
        container = each["spec"]["template"]["spec"]["containers"][0]
        container["env"] = [
            {"name": f"VARIABLE_{number}", "value": "x" * 40} for number in range(padding // 75)
        ]
    return json.dumps(review_of(new, old)).encode()


def _install() -> None:
    """Make the environment of the other servers, if it is not there."""
    if not (RIVALS / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(RIVALS)], check=True)
    pip = [str(RIVALS / "bin" / "pip"), "install", "--quiet", "--require-hashes"]
    subprocess.run([*pip, "-r", str(ROOT / "requirements" / "bench.txt")], check=True)


def _wait_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError("the server did not get ready")
