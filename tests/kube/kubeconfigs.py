"""Kubeconfigs, a plugin and a proxy for tests."""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from tests.kube.identified import Server

PLUGIN = """
import json, os, pathlib, sys
here = pathlib.Path(sys.argv[1])
count = here / "count"
calls = int(count.read_text() if count.exists() else 0) + 1
count.write_text(str(calls))
info = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
status = json.loads((here / "status").read_text())
status = {key: text.replace("CALLS", str(calls)) for key, text in status.items()}
print(json.dumps({"kind": "ExecCredential", "apiVersion": info["apiVersion"], "status": status}))
"""


def kubeconfig(
    server: Server,
    user: dict[str, Any],
    name: str = "config",
    cluster: dict[str, object] | None = None,
) -> str:
    """Return the path of a kubeconfig with one context."""
    entry = {"server": server.url, "certificate-authority": str(server.authority.file)}
    path = server.authority.directory / name
    path.write_text(
        yaml.safe_dump(
            {
                "current-context": name,
                "clusters": [{"name": name, "cluster": entry | (cluster or {})}],
                "users": [{"name": name, "user": user}],
                "contexts": [
                    {
                        "name": name,
                        "context": {"cluster": name, "user": name, "namespace": f"of-{name}"},
                    }
                ],
            }
        )
    )
    return str(path)


def plugin(server: Server, status: dict[str, str], version: str = "v1") -> dict[str, Any]:
    """Return a user whose credentials come from a program."""
    directory = server.authority.directory
    (directory / "status").write_text(json.dumps(status))
    return {
        "exec": {
            "apiVersion": f"client.authentication.k8s.io/{version}",
            "command": sys.executable,
            "args": ["-c", PLUGIN, str(directory)],
            "interactiveMode": "Never",
        }
    }


@asynccontextmanager
async def tunnel(targets: list[str]) -> AsyncIterator[str]:
    """Run a proxy that knows CONNECT, and note where it was asked to go."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65_536):
                writer.write(chunk)
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        targets.append(request.split()[1])
        host, port = targets[-1].split(":")
        below, above = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(copy(reader, above), copy(below, writer))

    listening = await asyncio.start_server(connect, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


def jwt(ends: int) -> str:
    """Return a token that ends at a time in seconds since 1970; nobody checks its signature."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": ends}).encode()).decode().rstrip("=")
    return f"e30.{claims}.e30"


def data(file: Path) -> str:
    """Return a file as a kubeconfig embeds it."""
    return base64.b64encode(file.read_bytes()).decode()
