"""In a Pod, credentials are found, change when they should, and say what is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

from rso.kube.auth import TokenFile, in_cluster
from rso.kube.errors import NoCredentials, Unreachable
from tests.kube.certificates import Authority
from tests.kube.clock import FakeClock
from tests.kube.identified import Server, seen


async def test_in_cluster(
    tls_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    """In a Pod, the ServiceAccount's token, authority and namespace are used."""
    _pod(tls_server, tmp_path, monkeypatch)
    access = in_cluster(tmp_path, clock)

    assert await seen(access, tls_server) == ("first", [])
    assert access.namespace == "databases"


def test_bare_pod(
    tls_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    """A Pod without a namespace file uses "default"; one without an authority is told."""
    _pod(tls_server, tmp_path, monkeypatch)
    (tmp_path / "namespace").unlink()
    access = in_cluster(tmp_path, clock)
    (tmp_path / "ca.crt").unlink()
    with pytest.raises(NoCredentials, match="certificate authority"):
        in_cluster(tmp_path, clock)

    assert access.namespace == "default"


async def test_token_is_read_again(
    tls_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    """A token that was replaced is used within ten seconds, and at once after a 401."""
    _pod(tls_server, tmp_path, monkeypatch)
    access = in_cluster(tmp_path, clock)
    tokens = [(await seen(access, tls_server))[0]]
    (tmp_path / "token").write_text("second\n")
    tokens.append((await seen(access, tls_server))[0])
    clock.seconds = 10
    tokens.append((await seen(access, tls_server))[0])
    (tmp_path / "token").write_text("third")
    tls_server.accepted = "third"
    tokens.append((await seen(access, tls_server))[0])

    assert tokens == ["first", "first", "second", "third"]


async def test_authority_is_read_again(
    tls_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    """An authority that was replaced is trusted within ten seconds."""
    _pod(tls_server, tmp_path, monkeypatch)
    good = (tmp_path / "ca.crt").read_bytes()
    (tmp_path / "ca.crt").write_bytes(Authority(tmp_path, "other").file.read_bytes())
    access = in_cluster(tmp_path, clock)
    with pytest.raises(Unreachable, match="certificate"):
        await seen(access, tls_server)
    (tmp_path / "ca.crt").write_bytes(good)
    clock.seconds = 10

    assert await seen(access, tls_server) == ("first", [])


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


def test_library_is_not_imported_in_a_pod() -> None:
    """The kubeconfig library is loaded only for a kubeconfig."""
    program = "import sys, rso.kube.auth, rso.kube.client; print('kubernetes' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert found.stdout.strip() == "False"


def _pod(tls_server: Server, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host, port = tls_server.url.removeprefix("https://").split(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    (directory / "token").write_text("first\n")
    (directory / "namespace").write_text("databases")
    (directory / "ca.crt").write_bytes(tls_server.authority.file.read_bytes())
