"""Connections to an API server that are used again: a handshake costs more than most requests."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
import weakref
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path

KEPT_SECONDS = 20.0  # the server closes an idle one after 90
TIMEOUT_SECONDS = 30.0
Kept = tuple[float, http.client.HTTPSConnection]


class Connections:
    """Connections to one server, for any thread; idle ones are closed with the object."""

    def __init__(self, url: str, ca: Path) -> None:
        self._address = urlsplit(url)
        self._ca = ca
        self._tls: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._idle: list[Kept] = []
        weakref.finalize(self, _close_all, self._idle)

    def new(self) -> http.client.HTTPSConnection:
        """Return a connection of one's own, opened by its first request."""
        if self._tls is None:
            self._tls = ssl.create_default_context(cafile=str(self._ca))
        return http.client.HTTPSConnection(
            self._address.hostname or "",
            self._address.port,
            timeout=TIMEOUT_SECONDS,
            context=self._tls,
        )

    def idle(self) -> http.client.HTTPSConnection | None:
        """Return one that was given back lately, if there is one."""
        with self._lock:
            while self._idle:
                given_at, connection = self._idle.pop()
                if time.monotonic() - given_at < KEPT_SECONDS:
                    return connection
                connection.close()
        return None

    def give_back(self, connection: http.client.HTTPSConnection) -> None:
        """Keep a connection whose last answer was read whole."""
        with self._lock:
            self._idle.append((time.monotonic(), connection))


def _close_all(idle: list[Kept]) -> None:
    for _, connection in idle:
        connection.close()
