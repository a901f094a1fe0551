"""A kubeconfig's credentials reach the server over real TLS, and say what is missing."""

import asyncio
import json
import os
import ssl
from pathlib import Path

import pytest

from rso.kube.auth import from_kubeconfig
from rso.kube.errors import NoCredentials, Unreachable
from rso.kube.transport import HttpTransport
from tests.kube.certificates import Authority
from tests.kube.clock import FakeClock
from tests.kube.identified import GET, Server, seen
from tests.kube.kubeconfigs import data, jwt, kubeconfig, plugin, tunnel


async def test_kubeconfig_token(tls_server: Server, clock: FakeClock) -> None:
    """A token in a kubeconfig is shown, and the context's namespace is the default one."""
    access = from_kubeconfig(kubeconfig(tls_server, {"token": "t"}), clock=clock)

    assert await seen(access, tls_server) == ("t", [])
    assert access.namespace == "of-config"


async def test_kubeconfig_token_file(tls_server: Server, clock: FakeClock) -> None:
    """A token file, relative to its kubeconfig, is read again when it changes."""
    path = tls_server.authority.directory / "my-token"
    path.write_text("first")
    access = from_kubeconfig(kubeconfig(tls_server, {"tokenFile": "my-token"}), clock=clock)
    tokens = [(await seen(access, tls_server))[0]]
    path.write_text("second")
    clock.seconds = 10
    tokens.append((await seen(access, tls_server))[0])

    assert tokens == ["first", "second"]


@pytest.mark.parametrize("embedded", [False, True], ids=["files", "data"])
async def test_kubeconfig_certificate(tls_server: Server, clock: FakeClock, embedded: bool) -> None:  # noqa: FBT001  a case
    """A client certificate is shown, from files or from data."""
    certificate, key = tls_server.authority.pair("anna")
    user = (
        {"client-certificate-data": data(certificate), "client-key-data": data(key)}
        if embedded
        else {"client-certificate": str(certificate), "client-key": key.name}
    )
    access = from_kubeconfig(kubeconfig(tls_server, user), clock=clock)

    assert await seen(access, tls_server) == ("", ["anna"])


async def test_keys_leave_no_file(
    tls_server: Server, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An embedded private key is in no file once the kubeconfig was loaded."""
    certificate, key = tls_server.authority.pair("anna")
    user = {"client-certificate-data": data(certificate), "client-key-data": data(key)}
    path = kubeconfig(
        tls_server, user, cluster={"certificate-authority-data": data(tls_server.authority.file)}
    )
    temporary = tls_server.authority.directory / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    for _ in range(2):
        access = from_kubeconfig(path, clock=clock)

    assert await seen(access, tls_server) == ("", ["anna"])
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_exec_plugin(tls_server: Server, clock: FakeClock, version: str) -> None:
    """A plugin's token is used without running it for each request, and asked again after a 401."""
    path = kubeconfig(tls_server, plugin(tls_server, {"token": "t-CALLS"}, version))
    access = from_kubeconfig(path, clock=clock)
    tokens = [(await seen(access, tls_server))[0]]
    clock.seconds = 60
    tokens.append((await seen(access, tls_server))[0])
    tls_server.accepted = "t-2"
    tokens.append((await seen(access, tls_server))[0])

    assert tokens == ["t-1", "t-1", "t-2"]


async def test_exec_plugin_expires(tls_server: Server, clock: FakeClock) -> None:
    """A plugin whose token ends is run again."""
    status = {"token": "t-CALLS", "expirationTimestamp": "2020-01-01T00:00:00Z"}
    access = from_kubeconfig(kubeconfig(tls_server, plugin(tls_server, status)), clock=clock)
    tokens = [(await seen(access, tls_server))[0]]
    clock.seconds = 60
    tokens.append((await seen(access, tls_server))[0])

    assert tokens == ["t-2", "t-3"]


async def test_exec_plugin_certificate(tls_server: Server, clock: FakeClock) -> None:
    """A plugin may give a client certificate, and another one after a 401."""
    status = {}
    for name in ("anna", "bert"):
        certificate, key = tls_server.authority.pair(name)
        status[name] = {
            "clientCertificateData": certificate.read_text(),
            "clientKeyData": key.read_text(),
        }
    access = from_kubeconfig(
        kubeconfig(tls_server, plugin(tls_server, status["anna"])), clock=clock
    )
    transport = HttpTransport(access)
    names = [json.loads((await transport.send(GET)).body)["names"]]
    plugin(tls_server, status["bert"])
    tls_server.accepted_names = ["bert"]
    names.append(json.loads((await transport.send(GET)).body)["names"])
    await transport.close()

    assert names == [["anna"], ["bert"]]


def test_exec_plugin_fails(tls_server: Server, clock: FakeClock) -> None:
    """A plugin that fails is told, instead of sending requests without credentials."""
    user = plugin(tls_server, {})
    user["exec"]["args"] = ["-c", "raise SystemExit('no login')"]
    with pytest.raises(NoCredentials, match="plugin"):
        from_kubeconfig(kubeconfig(tls_server, user), clock=clock)


async def test_oidc(tls_server: Server, clock: FakeClock) -> None:
    """An OIDC token that has ended is refreshed, and the kubeconfig keeps the new one."""
    fresh = jwt(4102444800)
    tls_server.refreshed = {"id_token": fresh, "refresh_token": "r-2", "access_token": "a"}
    config = {
        "id-token": jwt(0),
        "refresh-token": "r-1",
        "client-id": "rso",
        "client-secret": "x",
        "idp-issuer-url": tls_server.url,
        "idp-certificate-authority-data": data(tls_server.authority.file),
    }
    path = kubeconfig(tls_server, {"auth-provider": {"name": "oidc", "config": config}})
    access = await asyncio.to_thread(from_kubeconfig, path, clock=clock)

    assert await seen(access, tls_server) == (fresh, [])
    assert "r-2" in await asyncio.to_thread(Path(path).read_text)


async def test_insecure(tls_server: Server, clock: FakeClock) -> None:
    """insecure-skip-tls-verify is obeyed."""
    other = Authority(tls_server.authority.directory, "other")
    path = kubeconfig(
        tls_server,
        {"token": "t"},
        cluster={"certificate-authority": str(other.file), "insecure-skip-tls-verify": True},
    )

    assert await seen(from_kubeconfig(path, clock=clock), tls_server) == ("t", [])


async def test_wrong_authority(tls_server: Server, clock: FakeClock) -> None:
    """A server of another authority is refused before anything is sent."""
    other = Authority(tls_server.authority.directory, "other")
    path = kubeconfig(
        tls_server, {"token": "t"}, cluster={"certificate-authority": str(other.file)}
    )
    with pytest.raises(Unreachable, match="certificate") as caught:
        await seen(from_kubeconfig(path, clock=clock), tls_server)

    assert not caught.value.sent


@pytest.mark.parametrize("name", ["server", "wrong"])
async def test_tls_server_name(tls_server: Server, clock: FakeClock, name: str) -> None:
    """tls-server-name is the name that the server's certificate must have."""
    path = kubeconfig(tls_server, {"token": "t"}, cluster={"tls-server-name": name})
    access = from_kubeconfig(path, clock=clock)
    if name == "server":
        assert await seen(access, tls_server) == ("t", [])
    else:
        with pytest.raises(Unreachable, match="certificate"):
            await seen(access, tls_server)


async def test_proxy(tls_server: Server, clock: FakeClock) -> None:
    """Requests go through proxy-url, with TLS to the server itself."""
    targets: list[str] = []
    async with tunnel(targets) as url:
        path = kubeconfig(tls_server, {"token": "t"}, cluster={"proxy-url": url})
        found = await seen(from_kubeconfig(path, clock=clock), tls_server)

    assert found == ("t", [])
    assert targets == [tls_server.url.removeprefix("https://")]


async def test_several_files(
    tls_server: Server, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """$KUBECONFIG may name several files; the first current context counts, as in kubectl."""
    paths = [kubeconfig(tls_server, {"token": name}, name) for name in ("one", "two")]
    missing = str(tls_server.authority.directory / "missing")
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([missing, *paths]))

    assert await seen(from_kubeconfig(clock=clock), tls_server) == ("one", [])
    assert await seen(from_kubeconfig(context="two", clock=clock), tls_server) == ("two", [])


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


def test_no_tls_over_http(tls_server: Server, clock: FakeClock) -> None:
    """A server without TLS needs no context."""
    path = kubeconfig(tls_server, {"token": "t"}, cluster={"server": "http://127.0.0.1:1"})

    assert from_kubeconfig(path, clock=clock).credentials.ssl_context is None


def test_old_authorities_are_accepted(tls_server: Server, clock: FakeClock) -> None:
    """Authorities without the newest extensions are accepted, as kubectl does."""
    context = from_kubeconfig(
        kubeconfig(tls_server, {"token": "t"}), clock=clock
    ).credentials.ssl_context

    assert context is not None
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
