"""Certificates that the webhook makes itself: one authority in a Secret, a leaf in memory."""

import base64
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rso.app import resources
from rso.app.authority import Authority, Pair, make_authority, make_leaf, renewed
from rso.app.log import Logger
from rso.app.tls import Served
from rso.core.names import APP, APP_LABEL
from rso.kube.client import Client
from rso.kube.clock import Clock
from rso.kube.errors import AlreadyExists, Conflict, NotFound

_SIGNER = ("ca.crt", "ca.key")
_FOLLOWING = ("next.crt", "next.key")
_FORMER = "former.crt"
Json = dict[str, Any]


class UnusableSecret(Exception):
    """A Secret that holds no authority. Its text says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Service:
    """The Service in front of the webhook."""

    name: str
    namespace: str

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names by which API servers and people call it; the first is the API server's."""
        host = f"{self.name}.{self.namespace}.svc"
        return host, f"{host}.cluster.local", f"{self.name}.{self.namespace}"

    @property
    def secret(self) -> str:
        """The name of the Secret with the authority."""
        return f"{self.name}-authority"


class SelfSigned:
    """Keeps a leaf of the common authority served, and tells which certificates to trust."""

    def __init__(self, client: Client, service: Service, served: Served, clock: Clock) -> None:
        self._client = client
        self._service = service
        self._served = served
        self._clock = clock
        self._leaf: Pair | None = None
        self._signer: Pair | None = None
        self._log = Logger(logging.getLogger(__name__))

    async def refresh(self) -> bytes:
        """Renew what is due; return the certificates to be trusted, as PEM.

        Raises: UnusableSecret; KubeError.
        """
        while True:
            try:
                authority = await self._authority()
                break
            except (AlreadyExists, Conflict):  # another replica was first: its authority holds
                continue
        now = self._clock.now()
        if self._leaf is None or self._signer != authority.signer or self._leaf.is_due(now):
            self._leaf = make_leaf(authority.signer, self._service.hosts, now)
            self._signer = authority.signer
            self._served.use(self._leaf.certificate, self._leaf.key)
            self._log.info("certificate is served", expires=int(self._served.expiry()))
        return authority.bundle

    async def _authority(self) -> Authority:
        """Return the authority that all replicas share, made or renewed where that is due.

        An empty Secret of that name spares the right to create Secrets, which no name can limit.

        Raises: AlreadyExists, Conflict, when another replica did so just now.
        """
        name, namespace, now = self._service.secret, self._service.namespace, self._clock.now()
        try:
            found = await self._client.get(resources.SECRETS, namespace, name)
        except NotFound:
            made = Authority(make_authority(now))
            await self._client.create(resources.SECRETS, namespace, _manifest(name, made))
            self._log.info("certificate authority is made", secret=name)
            return made
        held = _read(found, f"{namespace}/{name}")
        fresh = _current(held, now, f"{namespace}/{name}")
        if fresh != held:
            version = found["metadata"]["resourceVersion"]
            body = {"metadata": {"resourceVersion": version}, "data": _data(fresh)}
            await self._client.patch(resources.SECRETS, namespace, name, body)
            told = "certificate authority is renewed" if held else "certificate authority is made"
            self._log.info(told, secret=name)
        return fresh


def _current(held: Authority | None, now: datetime, name: str) -> Authority:
    if held is None:
        return Authority(make_authority(now))
    try:
        return renewed(held, now)
    except ValueError:
        raise UnusableSecret(_unusable(name)) from None


def _manifest(name: str, authority: Authority) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": {APP_LABEL: APP}},
        "data": {key: text for key, text in _data(authority).items() if text is not None},
    }


def _data(authority: Authority) -> dict[str, str | None]:
    following = authority.following
    texts = {
        _SIGNER[0]: authority.signer.certificate,
        _SIGNER[1]: authority.signer.key,
        _FOLLOWING[0]: following.certificate if following else b"",
        _FOLLOWING[1]: following.key if following else b"",
        _FORMER: authority.former,
    }
    return {key: base64.b64encode(text).decode() or None for key, text in texts.items()}


def _read(secret: Json, name: str) -> Authority | None:
    """Return what a Secret holds; None for an empty one, which was made for us to fill."""
    held = secret.get("data") or {}
    if not held:
        return None
    try:
        data = {key: base64.b64decode(text, validate=True) for key, text in held.items()}
        following = Pair(*(data[key] for key in _FOLLOWING)) if _FOLLOWING[0] in data else None
        return Authority(Pair(*(data[key] for key in _SIGNER)), following, data.get(_FORMER, b""))
    except (KeyError, ValueError):
        raise UnusableSecret(_unusable(name)) from None


def _unusable(name: str) -> str:
    return f"Secret {name} holds no certificate authority; delete it, and a new one is made"
