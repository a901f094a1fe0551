"""Credentials reach the server over real TLS, change when they should, and say what is missing."""

import asyncio
import base64
import json
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from rso.kube.auth import Access, TokenFile, from_kubeconfig, in_cluster
from rso.kube.errors import NoCredentials, Unreachable
from rso.kube.transport import HttpTransport, Request
from tests.kube.certificates import Authority
from tests.kube.clock import FakeClock
from tests.kube.things import THINGS

GET = Request("get", THINGS, "default", "a", timeout_seconds=5)
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


class Server:
    """Tells who asked: the bearer token and the client certificate's common name."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.accepted: str | None = None  # the only token that is not answered with 401
        self.accepted_names: list[str] | None = None  # likewise
        self.refreshed: dict[str, str] = {}
        self.url = ""

    async def discover(self, _request: web.Request) -> web.Response:
        return web.json_response({"token_endpoint": f"{self.url}/refresh"})

    async def refresh(self, _request: web.Request) -> web.Response:
        return web.json_response(self.refreshed)

    async def answer(self, request: web.Request) -> web.Response:
        peer: dict[str, Any] = (
            request.transport and request.transport.get_extra_info("peercert")
        ) or {}
        names = [value for part in peer.get("subject", ()) for _, value in part]
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token != (self.accepted or token) or names != (self.accepted_names or names):
            return web.Response(status=401)
        return web.json_response({"token": token, "names": names})

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self.discover)
        app.router.add_post("/refresh", self.refresh)
        app.router.add_get("/{path:.*}", self.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self.authority.server_context())
        await site.start()
        self.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield
        finally:
            await runner.cleanup()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """Return a TLS server on loopback."""
    server = Server(Authority(tmp_path))
    async with server.serve():
        yield server


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock at zero."""
    return FakeClock()


async def seen(access: Access, server: Server) -> tuple[str, list[str]]:
    """Return the token and the certificate names that the server saw."""
    transport = HttpTransport(access)
    try:
        found = await transport.send(GET)
    finally:
        await transport.close()
    assert found.status == 200, server.url
    body = json.loads(found.body)
    return body["token"], body["names"]


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


async def test_in_cluster(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    """In a Pod, the ServiceAccount's token, authority and namespace are used."""
    _pod(server, tmp_path, monkeypatch)
    access = in_cluster(tmp_path, clock)

    assert await seen(access, server) == ("first", [])
    assert access.namespace == "databases"


def test_bare_pod(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    """A Pod without a namespace file uses "default"; one without an authority is told."""
    _pod(server, tmp_path, monkeypatch)
    (tmp_path / "namespace").unlink()
    access = in_cluster(tmp_path, clock)
    (tmp_path / "ca.crt").unlink()
    with pytest.raises(NoCredentials, match="certificate authority"):
        in_cluster(tmp_path, clock)

    assert access.namespace == "default"


async def test_token_is_read_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    """A token that was replaced is used within ten seconds, and at once after a 401."""
    _pod(server, tmp_path, monkeypatch)
    access = in_cluster(tmp_path, clock)
    tokens = [(await seen(access, server))[0]]
    (tmp_path / "token").write_text("second\n")
    tokens.append((await seen(access, server))[0])
    clock.seconds = 10
    tokens.append((await seen(access, server))[0])
    (tmp_path / "token").write_text("third")
    server.accepted = "third"
    tokens.append((await seen(access, server))[0])

    assert tokens == ["first", "first", "second", "third"]


async def test_authority_is_read_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    """An authority that was replaced is trusted within ten seconds."""
    _pod(server, tmp_path, monkeypatch)
    good = (tmp_path / "ca.crt").read_bytes()
    (tmp_path / "ca.crt").write_bytes(Authority(tmp_path, "other").file.read_bytes())
    access = in_cluster(tmp_path, clock)
    with pytest.raises(Unreachable, match="certificate"):
        await seen(access, server)
    (tmp_path / "ca.crt").write_bytes(good)
    clock.seconds = 10

    assert await seen(access, server) == ("first", [])


async def test_missing_token(tmp_path: Path, clock: FakeClock) -> None:
    """A token that vanishes stays in use; one that never was is told."""
    path = tmp_path / "token"
    credentials = TokenFile(path, clock)
    with pytest.raises(NoCredentials, match="token"):
        await credentials.headers()
    path.write_text("first")
    await credentials.headers()
    path.unlink()
    clock.seconds = 60

    assert await credentials.headers() == {"Authorization": "Bearer first"}


def test_not_in_a_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of a Pod this is told."""
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(NoCredentials, match="not in a Pod"):
        in_cluster(tmp_path)


async def test_kubeconfig_token(server: Server, clock: FakeClock) -> None:
    """A token in a kubeconfig is shown, and the context's namespace is the default one."""
    access = from_kubeconfig(kubeconfig(server, {"token": "t"}), clock=clock)

    assert await seen(access, server) == ("t", [])
    assert access.namespace == "of-config"


async def test_kubeconfig_token_file(server: Server, clock: FakeClock) -> None:
    """A token file, relative to its kubeconfig, is read again when it changes."""
    path = server.authority.directory / "my-token"
    path.write_text("first")
    access = from_kubeconfig(kubeconfig(server, {"tokenFile": "my-token"}), clock=clock)
    tokens = [(await seen(access, server))[0]]
    path.write_text("second")
    clock.seconds = 10
    tokens.append((await seen(access, server))[0])

    assert tokens == ["first", "second"]


@pytest.mark.parametrize("embedded", [False, True], ids=["files", "data"])
async def test_kubeconfig_certificate(server: Server, clock: FakeClock, embedded: bool) -> None:  # noqa: FBT001  a case
    """A client certificate is shown, from files or from data."""
    certificate, key = server.authority.pair("anna")
    user = (
        {"client-certificate-data": data(certificate), "client-key-data": data(key)}
        if embedded
        else {"client-certificate": str(certificate), "client-key": key.name}
    )
    access = from_kubeconfig(kubeconfig(server, user), clock=clock)

    assert await seen(access, server) == ("", ["anna"])


async def test_keys_leave_no_file(
    server: Server, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An embedded private key is in no file once the kubeconfig was loaded."""
    certificate, key = server.authority.pair("anna")
    user = {"client-certificate-data": data(certificate), "client-key-data": data(key)}
    path = kubeconfig(
        server, user, cluster={"certificate-authority-data": data(server.authority.file)}
    )
    temporary = server.authority.directory / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    for _ in range(2):
        access = from_kubeconfig(path, clock=clock)

    assert await seen(access, server) == ("", ["anna"])
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_exec_plugin(server: Server, clock: FakeClock, version: str) -> None:
    """A plugin's token is used without running it for each request, and asked again after a 401."""
    path = kubeconfig(server, plugin(server, {"token": "t-CALLS"}, version))
    access = from_kubeconfig(path, clock=clock)
    tokens = [(await seen(access, server))[0]]
    clock.seconds = 60
    tokens.append((await seen(access, server))[0])
    server.accepted = "t-2"
    tokens.append((await seen(access, server))[0])

    assert tokens == ["t-1", "t-1", "t-2"]


async def test_exec_plugin_expires(server: Server, clock: FakeClock) -> None:
    """A plugin whose token ends is run again."""
    status = {"token": "t-CALLS", "expirationTimestamp": "2020-01-01T00:00:00Z"}
    access = from_kubeconfig(kubeconfig(server, plugin(server, status)), clock=clock)
    tokens = [(await seen(access, server))[0]]
    clock.seconds = 60
    tokens.append((await seen(access, server))[0])

    assert tokens == ["t-2", "t-3"]


async def test_exec_plugin_certificate(server: Server, clock: FakeClock) -> None:
    """A plugin may give a client certificate, and another one after a 401."""
    status = {}
    for name in ("anna", "bert"):
        certificate, key = server.authority.pair(name)
        status[name] = {
            "clientCertificateData": certificate.read_text(),
            "clientKeyData": key.read_text(),
        }
    access = from_kubeconfig(kubeconfig(server, plugin(server, status["anna"])), clock=clock)
    transport = HttpTransport(access)
    names = [json.loads((await transport.send(GET)).body)["names"]]
    plugin(server, status["bert"])
    server.accepted_names = ["bert"]
    names.append(json.loads((await transport.send(GET)).body)["names"])
    await transport.close()

    assert names == [["anna"], ["bert"]]


def test_exec_plugin_fails(server: Server, clock: FakeClock) -> None:
    """A plugin that fails is told, instead of sending requests without credentials."""
    user = plugin(server, {})
    user["exec"]["args"] = ["-c", "raise SystemExit('no login')"]
    with pytest.raises(NoCredentials, match="plugin"):
        from_kubeconfig(kubeconfig(server, user), clock=clock)


async def test_oidc(server: Server, clock: FakeClock) -> None:
    """An OIDC token that has ended is refreshed, and the kubeconfig keeps the new one."""
    fresh = jwt(4102444800)
    server.refreshed = {"id_token": fresh, "refresh_token": "r-2", "access_token": "a"}
    config = {
        "id-token": jwt(0),
        "refresh-token": "r-1",
        "client-id": "rso",
        "client-secret": "x",
        "idp-issuer-url": server.url,
        "idp-certificate-authority-data": data(server.authority.file),
    }
    path = kubeconfig(server, {"auth-provider": {"name": "oidc", "config": config}})
    access = await asyncio.to_thread(from_kubeconfig, path, clock=clock)

    assert await seen(access, server) == (fresh, [])
    assert "r-2" in await asyncio.to_thread(Path(path).read_text)


async def test_insecure(server: Server, clock: FakeClock) -> None:
    """insecure-skip-tls-verify is obeyed."""
    other = Authority(server.authority.directory, "other")
    path = kubeconfig(
        server,
        {"token": "t"},
        cluster={"certificate-authority": str(other.file), "insecure-skip-tls-verify": True},
    )

    assert await seen(from_kubeconfig(path, clock=clock), server) == ("t", [])


async def test_wrong_authority(server: Server, clock: FakeClock) -> None:
    """A server of another authority is refused before anything is sent."""
    other = Authority(server.authority.directory, "other")
    path = kubeconfig(server, {"token": "t"}, cluster={"certificate-authority": str(other.file)})
    with pytest.raises(Unreachable, match="certificate") as caught:
        await seen(from_kubeconfig(path, clock=clock), server)

    assert not caught.value.sent


@pytest.mark.parametrize("name", ["server", "wrong"])
async def test_tls_server_name(server: Server, clock: FakeClock, name: str) -> None:
    """tls-server-name is the name that the server's certificate must have."""
    path = kubeconfig(server, {"token": "t"}, cluster={"tls-server-name": name})
    access = from_kubeconfig(path, clock=clock)
    if name == "server":
        assert await seen(access, server) == ("t", [])
    else:
        with pytest.raises(Unreachable, match="certificate"):
            await seen(access, server)


async def test_proxy(server: Server, clock: FakeClock) -> None:
    """Requests go through proxy-url, with TLS to the server itself."""
    targets: list[str] = []
    async with tunnel(targets) as url:
        path = kubeconfig(server, {"token": "t"}, cluster={"proxy-url": url})
        found = await seen(from_kubeconfig(path, clock=clock), server)

    assert found == ("t", [])
    assert targets == [server.url.removeprefix("https://")]


async def test_several_files(
    server: Server, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """$KUBECONFIG may name several files; the first current context counts, as in kubectl."""
    paths = [kubeconfig(server, {"token": name}, name) for name in ("one", "two")]
    missing = str(server.authority.directory / "missing")
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([missing, *paths]))

    assert await seen(from_kubeconfig(clock=clock), server) == ("one", [])
    assert await seen(from_kubeconfig(context="two", clock=clock), server) == ("two", [])


@pytest.mark.parametrize(
    ("text", "context", "expected"),
    [
        pytest.param(None, None, "no kubeconfig with a current context", id="no file"),
        pytest.param("{}", None, "no kubeconfig with a current context", id="empty"),
        pytest.param("{}", "x", "kubeconfig", id="unknown context"),
        pytest.param("a: [", None, "cannot read", id="no YAML"),
        pytest.param("contexts: [x]\nusers: {}", "x", "kubeconfig", id="no objects"),
    ],
)
def test_unusable_kubeconfig(
    tmp_path: Path, text: str | None, context: str | None, expected: str
) -> None:
    """A kubeconfig that cannot be used is told in one sentence."""
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)
    with pytest.raises(NoCredentials, match=expected):
        from_kubeconfig(str(path), context)


def test_library_is_not_imported_in_a_pod() -> None:
    """The kubeconfig library is loaded only for a kubeconfig."""
    program = "import sys, rso.kube.auth, rso.kube.client; print('kubernetes' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert found.stdout.strip() == "False"


def test_no_tls_over_http(server: Server, clock: FakeClock) -> None:
    """A server without TLS needs no context."""
    path = kubeconfig(server, {"token": "t"}, cluster={"server": "http://127.0.0.1:1"})

    assert from_kubeconfig(path, clock=clock).credentials.ssl_context is None


def test_old_authorities_are_accepted(server: Server, clock: FakeClock) -> None:
    """Authorities without the newest extensions are accepted, as kubectl does."""
    context = from_kubeconfig(
        kubeconfig(server, {"token": "t"}), clock=clock
    ).credentials.ssl_context

    assert context is not None
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT


def _pod(server: Server, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host, port = server.url.removeprefix("https://").split(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    (directory / "token").write_text("first\n")
    (directory / "namespace").write_text("databases")
    (directory / "ca.crt").write_bytes(server.authority.file.read_bytes())
