"""Where the API server is and what to show it.

Inside a cluster this is the ServiceAccount's directory. Outside it is a kubeconfig, which
``rso.kube.kubeconfig`` loads; that module is imported only then.
"""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rso.kube.clock import Clock, SystemClock
from rso.kube.errors import NoCredentials

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
REREAD_SECONDS = 10.0  # the kubelet replaces a token long before it ends


class Credentials(Protocol):
    """What makes a request ours, and the server's answer believable."""

    @property
    def ssl_context(self) -> ssl.SSLContext | None:
        """Return what new connections use; None means the machine's own authorities.

        Another object than before makes new connections, with the client certificate in it.
        """
        ...

    async def headers(self) -> Mapping[str, str]:
        """Return the headers for one request.

        Raises: NoCredentials, when there is nothing to show.
        """
        ...

    async def renew(self) -> bool:
        """Get new credentials after a 401; return whether trying again makes sense."""
        ...


class Anonymous:
    """No headers: a client certificate, or a server that wants nothing."""

    def __init__(self, ssl_context: ssl.SSLContext | None = None) -> None:
        self.ssl_context = ssl_context

    async def headers(self) -> Mapping[str, str]:
        return {}

    async def renew(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Access:
    """An API server and how to reach it; ``namespace`` is the one to use when none is named."""

    server: str
    credentials: Credentials
    namespace: str = "default"
    proxy: str | None = None
    tls_server_name: str | None = None
    user_agent: str = "rso"


class TokenFile:
    """A bearer token in a file that somebody replaces; read again every ten seconds.

    A certificate authority is read again with it; ``ssl_context`` is used if there is none.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        ca_file: Path | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.ssl_context = tls(ca_file) if ca_file else ssl_context
        self._path = path
        self._clock = clock
        self._ca_file = ca_file
        self._token = ""
        self._reread_at = clock.monotonic()

    async def headers(self) -> Mapping[str, str]:
        if self._clock.monotonic() >= self._reread_at:
            self._reread()
        return {"Authorization": f"Bearer {self._token}"}

    async def renew(self) -> bool:
        before = self._token
        self._reread()
        return before != self._token

    def _reread(self) -> None:
        try:
            self._token = self._path.read_text("ascii").strip() or self._token
            if self._ca_file is not None and self.ssl_context is not None:
                self.ssl_context.load_verify_locations(self._ca_file)
        except (OSError, ValueError) as error:
            # The last token may still be good: a file is missing for a moment while replaced.
            if not self._token:
                raise NoCredentials(f"cannot read the token: {error}") from error
        self._reread_at = self._clock.monotonic() + REREAD_SECONDS


def in_cluster(directory: Path = SERVICE_ACCOUNT, clock: Clock | None = None) -> Access:
    """Return the access of the Pod that we run in.

    Raises: NoCredentials, when this is not a Pod or has no ServiceAccount token.
    Source: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
    """
    host = os.environ.get("KUBERNETES_SERVICE_HOST")
    port = os.environ.get("KUBERNETES_SERVICE_PORT")
    token = directory / "token"
    if not host or not port or not token.exists():
        raise NoCredentials("not in a Pod: no KUBERNETES_SERVICE_HOST or no ServiceAccount token")
    return Access(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        credentials=TokenFile(token, clock or SystemClock(), ca_file=directory / "ca.crt"),
        namespace=_namespace(directory / "namespace"),
    )


def from_kubeconfig(
    path: str | None = None, context: str | None = None, clock: Clock | None = None
) -> Access:
    """Return the access that a kubeconfig describes.

    ``path`` None means ``$KUBECONFIG`` (several files, separated by colons), else
    ``~/.kube/config``; ``context`` None means the current one.
    Raises: NoCredentials, with what is missing.
    """
    from rso.kube.kubeconfig import load  # noqa: PLC0415  a heavy library; no Pod needs it

    return load(path, context, clock or SystemClock())


def tls(ca_file: Path | str | None = None) -> ssl.SSLContext:
    """Return a context that verifies the server by a file, or by the machine's authorities.

    Raises: NoCredentials, when the file cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise NoCredentials(f"cannot read the certificate authority {ca_file}: {error}") from error
    # Authorities of old clusters lack the extensions that Python 3.13 began to ask for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _namespace(path: Path) -> str:
    try:
        return path.read_text().strip() or "default"
    except OSError:
        return "default"
