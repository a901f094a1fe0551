"""A kubeconfig, read by the official Kubernetes client.

That library finds the cluster and the user, merges files, runs exec plugins and refreshes OIDC
tokens; docs/decisions/0001 says why it and not another. Here stands what it leaves open: which
file's ``current-context`` counts, a plugin that failed, a ``tokenFile`` that changes, and private
keys that must not stay in a temporary directory.

The library blocks (files, subprocesses), so it runs in a thread.
"""

import asyncio
import os
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from kubernetes.client import Configuration
from kubernetes.config import ConfigException
from kubernetes.config.kube_config import load_kube_config

from rso.kube.auth import REREAD_SECONDS, Access, TokenFile, tls
from rso.kube.clock import Clock
from rso.kube.errors import NoCredentials

DEFAULT = "~/.kube/config"


def load(path: str | None, context: str | None, clock: Clock) -> Access:
    """Return the access that a context describes.

    Raises: NoCredentials, when a file, the context or the credentials are missing.
    """
    chosen = _Chosen(path or os.environ.get("KUBECONFIG") or DEFAULT, context)
    credentials = _Library(chosen, clock)
    token_file = chosen.user.get("tokenFile")
    return Access(
        server=credentials.server,
        credentials=(
            TokenFile(
                chosen.user_directory / token_file, clock, ssl_context=credentials.ssl_context
            )
            if token_file
            else credentials
        ),
        namespace=chosen.namespace,
        proxy=credentials.configuration.proxy,
        tls_server_name=credentials.configuration.tls_server_name,
    )


class _Chosen:
    """The context that counts, and its user."""

    def __init__(self, paths: str, context: str | None) -> None:
        self.paths = paths
        files = [(file, _read(file)) for file in _existing(paths)]
        # The first file that names a current context wins, as in kubectl; the library takes the
        # last.
        current = (found.get("current-context") for _, found in files)
        self.context = context or next(filter(None, current), None)
        if self.context is None:
            raise NoCredentials(f"no kubeconfig with a current context at {paths}")
        _, entry = _named(files, "contexts", "context", self.context)
        self.namespace = str(entry.get("namespace") or "default")
        file, self.user = _named(files, "users", "user", entry.get("user"))
        self.user_directory = file.parent
        self.has_plugin = "exec" in self.user


class _Library:
    """What the library knows to show: a token, a password, or the answer of a plugin."""

    def __init__(self, chosen: _Chosen, clock: Clock) -> None:
        self.configuration, self.ssl_context = _configure(chosen)
        self._chosen = chosen
        self._clock = clock
        self._lock = asyncio.Lock()
        self._headers: Mapping[str, str] = {}
        self._fresh_until = float("-inf")

    @property
    def server(self) -> str:
        return str(self.configuration.host)

    async def headers(self) -> Mapping[str, str]:
        async with self._lock:
            if self._clock.monotonic() >= self._fresh_until:
                self._headers = await asyncio.to_thread(self._ask)
                self._fresh_until = self._clock.monotonic() + REREAD_SECONDS
            return self._headers

    async def renew(self) -> bool:
        """Read the files and run the plugin again."""
        async with self._lock:
            before = self._headers
            self.configuration, self.ssl_context = await asyncio.to_thread(_configure, self._chosen)
            self._headers = await asyncio.to_thread(self._ask)
            self._fresh_until = self._clock.monotonic() + REREAD_SECONDS
            return self._chosen.has_plugin or before != self._headers

    def _ask(self) -> Mapping[str, str]:
        # Renews tokens that are about to end.
        value = self.configuration.get_api_key_with_prefix("BearerToken")
        return {"Authorization": str(value)} if value else {}


# What the library raises for a file that is YAML but no kubeconfig, besides its own error.
_UNUSABLE = (ConfigException, OSError, ValueError, TypeError, KeyError, AttributeError)


def _configure(chosen: _Chosen) -> tuple[Configuration, ssl.SSLContext | None]:
    configuration = Configuration()
    with tempfile.TemporaryDirectory(prefix="rso-") as directory:  # keys leave with it
        try:
            load_kube_config(  # type: ignore[no-untyped-call]  # the library has no types here
                chosen.paths, chosen.context, configuration, temp_file_path=directory
            )
        except _UNUSABLE as error:
            raise NoCredentials(f"kubeconfig: {error}") from error
        if chosen.has_plugin and not (configuration.api_key or configuration.cert_file):
            # The library only logs it, and requests without credentials would follow.
            raise NoCredentials(f"the exec plugin of context {chosen.context} gave no credentials")
        return configuration, _tls(configuration)


def _tls(configuration: Configuration) -> ssl.SSLContext | None:
    if not str(configuration.host).startswith("https"):
        return None
    context = tls(configuration.ssl_ca_cert)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if configuration.cert_file:
        try:
            context.load_cert_chain(configuration.cert_file, configuration.key_file)
        except OSError as error:
            raise NoCredentials(f"cannot load the client certificate: {error}") from error
    return context


def _existing(paths: str) -> list[Path]:
    files = [Path(part).expanduser() for part in paths.split(os.pathsep) if part]
    return [file for file in files if file.is_file()]


def _read(file: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise NoCredentials(f"cannot read {file}: {type(error).__name__}") from error
    return found if isinstance(found, dict) else {}


def _named(
    files: list[tuple[Path, dict[str, Any]]], section: str, key: str, name: str | None
) -> tuple[Path, dict[str, Any]]:
    for file, found in files:
        for entry in found.get(section) or ():
            if isinstance(entry, dict) and entry.get("name") == name:
                return file, entry.get(key) or {}
    return Path(), {}
