"""python -m bench.kubelets DIRECTORY PORT NODES PODS CLAIMS: many kubelets in one process.

Each has an address and a certificate of its own on loopback and answers over TLS as a real one
does: indented JSON in one chunk. The authority is written into the directory. A line on stdout says
that all listen.
"""

import asyncio
import json
import ssl
import sys
from pathlib import Path
from typing import Any

from tests.kube.certificates import Authority

Json = dict[str, Any]
TIME = "2026-11-01T12:00:00Z"
GIB = 2**30


def address(node: int) -> str:
    """Return where a node answers: an address of its own in 127/8."""
    return f"127.1.{node // 250}.{node % 250 + 1}"


def pod_uid(node: int, pod: int) -> str:
    """Return the uid of a Pod."""
    return f"{node:08x}-0000-4000-8000-{pod:012x}"


def claim(node: int, pod: int) -> str:
    """Return the claim that a Pod mounts."""
    return f"data-db-{node}-{pod}"


def answer(node: int, pods: int, claims: int) -> bytes:
    """Return what a kubelet says of so many Pods, of which the first ones mount claims."""
    said = {
        "node": {"nodeName": f"node-{node}", "systemContainers": [_container("pods")]},
        "pods": [_pod(node, pod, has_claim=pod < claims) for pod in range(pods)],
    }
    return json.dumps(said, indent=1).encode()


def _pod(node: int, pod: int, *, has_claim: bool) -> Json:
    plain = ("kube-api-access", "config")
    volumes = [{**_disk(), "inodes": 1000, "name": f"{name}-{pod}"} for name in plain]
    if has_claim:
        volumes.append({**_disk(), "name": "data", "pvcRef": _claim_of(node, pod)})
    interface = {"name": "eth0", **dict.fromkeys(("rxBytes", "rxErrors", "txBytes", "txErrors"), 9)}
    return {
        "podRef": {"name": f"db-{node}-{pod}", "namespace": "shop", "uid": pod_uid(node, pod)},
        "startTime": TIME,
        "containers": [_container("main")],
        **_used(),
        "network": {"time": TIME, **interface, "interfaces": [interface]},
        "volume": volumes,
        "ephemeral-storage": _disk(),
        "process_stats": {"process_count": 3},
    }


def _claim_of(node: int, pod: int) -> Json:
    return {"name": claim(node, pod), "namespace": "shop"}


def _container(name: str) -> Json:
    return {"name": name, "startTime": TIME, **_used(), "rootfs": _disk(), "logs": _disk()}


def _used() -> Json:
    pressure = {
        each: {"total": 0, "avg10": 0, "avg60": 0, "avg300": 0} for each in ("full", "some")
    }
    return {
        "cpu": {"time": TIME, "usageNanoCores": 4, "usageCoreNanoSeconds": 99, "psi": pressure},
        "memory": {
            "time": TIME,
            **dict.fromkeys(("usageBytes", "workingSetBytes", "rssBytes", "pageFaults"), GIB),
            "psi": pressure,
        },
        "io": {"time": TIME, "psi": pressure},
        "swap": {"time": TIME, "swapAvailableBytes": 0, "swapUsageBytes": 0},
    }


def _disk() -> Json:
    return {
        "time": TIME,
        "availableBytes": 3 * GIB,
        "capacityBytes": 10 * GIB,
        "usedBytes": 7 * GIB,
        "inodesFree": 153596,
        "inodes": 153600,
        "inodesUsed": 4,
    }


async def serve(directory: Path, port: int, nodes: int, pods: int, claims: int) -> None:
    """Answer for ever."""
    authority = Authority(directory)
    for node in range(nodes):
        body = answer(node, pods, claims)
        await asyncio.start_server(
            _handler(body), address(node), port, ssl=_context(authority, node), backlog=8
        )
    print("ready", len(answer(0, pods, claims)), flush=True)
    await asyncio.Event().wait()


def _context(authority: Authority, node: int) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.pair("node", [address(node)]))
    return context


def _handler(body: bytes) -> Any:  # noqa: ANN401  what start_server takes
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    whole = head + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(whole)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    return handle


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), *map(int, sys.argv[2:])))
