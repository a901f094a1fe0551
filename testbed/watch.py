"""Following objects as they change, for people who look on and for tests that miss nothing."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.api import Api, Object

RETRY_SECONDS = 0.1


class Watch:
    """Calls ``seen(time, type, object)`` for each object there is and each later change.

    It runs in a thread of its own from ``start`` to ``stop``; the type is ADDED, MODIFIED or
    DELETED, the time that of arrival, in seconds since 1970. It is for minutes, not for days: a
    change that the server has forgotten is never told.
    """

    def __init__(
        self, api: Api, kind: str, namespace: str, seen: Callable[[float, str, Object], None]
    ) -> None:
        self._api = api
        self._path = api.resource(kind).path(namespace)
        self._seen = seen
        self._stopping = threading.Event()
        self._connection: http.client.HTTPSConnection | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Watch:
        """Tell what there is, then follow in the background."""
        listed = self._api.request("GET", self._path)
        self._version = listed["metadata"]["resourceVersion"]
        for item in listed["items"]:
            self._seen(time.time(), "ADDED", item)
        self._thread.start()
        return self

    def stop(self) -> None:
        """End; harmless when the server is gone."""
        self._stopping.set()
        self._hang_up()
        if self._thread.is_alive():
            self._thread.join()

    def _hang_up(self) -> None:
        # Its thread reads; what it reads from then on is the end.
        socket_ = self._connection.sock if self._connection else None
        if socket_ is not None:
            with contextlib.suppress(OSError):
                socket_.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except (OSError, http.client.HTTPException, ValueError):
                self._stopping.wait(RETRY_SECONDS)

    def _follow(self) -> None:
        query = urlencode({"watch": "1", "resourceVersion": self._version})
        connection, answer = self._api.open(f"{self._path}?{query}")
        self._connection = connection
        with contextlib.closing(connection), answer:
            while not self._stopping.is_set():
                line = answer.readline()
                if not line:
                    return
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise ConnectionError(event["object"].get("message", ""))
                self._version = event["object"]["metadata"]["resourceVersion"]
                self._seen(time.time(), event["type"], event["object"])
