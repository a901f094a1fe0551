"""Run the CSI driver until SIGTERM."""

from __future__ import annotations

import argparse
import signal
import sys
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc

from testbed.csi.driver import Controller, Identity, Node, Registration
from testbed.csi.faults import Faults, Record
from testbed.csi.server import Service


def main() -> None:
    """Serve the driver, and when there is a node the registration, on Unix sockets."""
    options = parse_arguments()
    for directory in (options.volumes, options.faults):
        directory.mkdir(parents=True, exist_ok=True)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
    sys.path.insert(0, str(options.protos))
    csi: Any = grpc.protos("csi.proto")
    servicers = {
        "Identity": Identity(csi),
        "Controller": Controller(csi, options.volumes),
        "Node": Node(csi, options.volumes, options.node_id),
    }
    servers = [serve(options, csi.DESCRIPTOR, servicers, options.socket)]
    if options.registration_socket:
        messages: Any = grpc.protos("pluginregistration.proto")
        registration = {"Registration": Registration(messages, options.socket)}
        servers.append(
            serve(options, messages.DESCRIPTOR, registration, options.registration_socket)
        )
    signal.sigwait([signal.SIGTERM, signal.SIGINT])
    for server in servers:
        server.stop(grace=1).wait()


def serve(
    options: argparse.Namespace,
    descriptor: Any,  # noqa: ANN401 # compiled when the driver starts
    servicers: dict[str, Any],
    socket: Path,
) -> grpc.Server:
    """Start a server on a socket; a dead one of an earlier run is replaced."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32))
    faults, record = Faults(options.faults), Record(options.calls)
    handlers = [
        Service(descriptor.services_by_name[name], servicer, faults, record).handler()
        for name, servicer in servicers.items()
    ]
    server.add_generic_rpc_handlers(handlers)
    socket.unlink(missing_ok=True)
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    return server


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="testbed.csi", description="CSI driver for tests")
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--registration-socket", type=Path, help="for the kubelet; absent: no node")
    parser.add_argument("--volumes", type=Path, required=True, help="directory of the sparse files")
    parser.add_argument("--faults", type=Path, required=True, help="directory of the faults")
    parser.add_argument("--calls", type=Path, required=True, help="file with one line per call")
    parser.add_argument("--node-id", default="node")
    parser.add_argument("--protos", type=Path, required=True, help="directory with csi.proto")
    return parser.parse_args()


if __name__ == "__main__":
    main()
