"""The HTTPS server of the webhook: an AdmissionReview in, an answer out, within limits.

It asks no API server while it answers, and remembers nothing. Whatever goes wrong ends in a 4xx
and one line of the log, never with the object in it (safety T9 to T13).
"""

import asyncio
import logging
import ssl
import time
from http import HTTPStatus

from aiohttp import web

from rso.app.connections import REQUEST_SECONDS, Connections
from rso.app.log import Logger
from rso.app.probes import CannotListen
from rso.app.reviews import Unreadable, judge, read
from rso.app.room import NoRoom, Room, Share
from rso.app.settings import Address
from rso.app.webhook_metrics import WebhookMetrics
from rso.core.reviewed import Request
from rso.core.rules import Rules
from rso.core.verdict import Verdict

PATH = "/mutate"
# Two objects of 3 MB and what surrounds them; the API server takes no larger ones (safety T9).
MOST_BODY_BYTES = 7 * 1024 * 1024
# Of all requests that are being read: four of the largest, or hundreds of the usual ones.
MOST_BODIES_BYTES = 32 * 1024 * 1024
IDLE_SECONDS = 90.0  # as controller-runtime keeps them; the API server uses a connection again
# After SIGTERM: until all API servers have learned that this Pod is no endpoint any more.
FAREWELL_SECONDS = 5.0
# A connection that was used just now may be used again in the moment in which it is closed.
_QUIET_SECONDS = 1.0
_MORE_LOOKS = 15  # kubelet kills after 30 seconds
_LINGER_SECONDS = 0.0  # whoever sends more than is read is no API server: nothing is held for it
_STOP_SECONDS = 5.0  # for an answer that is under way
_BACKLOG = 512


class ReviewServer:
    """Answers reviews while it runs. `context` decides about each TLS handshake anew."""

    def __init__(
        self, bind: Address, context: ssl.SSLContext, rules: Rules, metrics: WebhookMetrics
    ) -> None:
        self._bind = bind
        self._context = context
        self._rules = rules
        self._metrics = metrics
        self._log = Logger(logging.getLogger(__name__))
        self._room = Room(MOST_BODIES_BYTES)
        self._is_leaving = False
        self._answered_at = 0.0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen.

        Raises: CannotListen.
        """
        self._http = web.Server(
            self._handle,
            access_log=None,
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=_LINGER_SECONDS,
            auto_decompress=False,
            logger=logging.getLogger("rso.app.webhook.http"),
        )
        self._connections = Connections(self._http)
        host, port = self._bind
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._connections,
                host or None,
                port,
                ssl=self._context,
                ssl_handshake_timeout=REQUEST_SECONDS,
                backlog=_BACKLOG,
            )
        except OSError as fault:
            raise CannotListen(f"cannot listen on {host}:{port}: {fault.strerror}") from None

    @property
    def address(self) -> Address | None:
        """Where it listens, with the port that was chosen for port 0; None when it does not."""
        sockets = self._server.sockets if self._server else ()
        return sockets[0].getsockname()[:2] if sockets else None

    async def leave(self) -> None:
        """End without failing a request: answer on, tell each client to come no more, then stop."""
        self._is_leaving = True
        await asyncio.sleep(FAREWELL_SECONDS)
        for _ in range(_MORE_LOOKS):
            if time.monotonic() - self._answered_at > _QUIET_SECONDS:
                break
            await asyncio.sleep(_QUIET_SECONDS)
        await self.stop()

    async def stop(self) -> None:
        """End, after the answers that are under way; harmless if it never started."""
        if self._server is None:
            return
        self._server.close()
        await self._http.shutdown(_STOP_SECONDS)
        self._server = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        began = time.perf_counter()
        try:
            response = await self._answer(request)
        except _Refused as refused:
            response = web.Response(status=refused.status, text=f"{refused}\n")
            response.force_close()  # what has not been read of the body is not waited for
            self._metrics.refused(refused.status, time.perf_counter() - began)
        if self._is_leaving:
            response.force_close()
        self._connections.answered(request.transport)
        self._answered_at = time.monotonic()
        return response

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        began = time.perf_counter()
        _check(request)
        with self._room.share() as share:
            return self._judge(await _body(request, share), began)

    def _judge(self, body: bytes, began: float) -> web.Response:
        try:
            asked = read(body)
            verdict, answer = judge(asked, self._rules)
        except Unreadable as fault:
            raise _Refused(HTTPStatus.BAD_REQUEST, str(fault)) from None
        except Exception as fault:  # noqa: BLE001  a bug must not take other requests with it
            self._log.error("review failed", error=type(fault).__name__)
            raise _Refused(HTTPStatus.BAD_REQUEST, "this review cannot be answered") from None
        self._tell(asked, verdict)
        self._metrics.answered(asked.operation, verdict.outcome, time.perf_counter() - began)
        return web.Response(body=answer, content_type="application/json")

    def _tell(self, asked: Request, verdict: Verdict) -> None:
        """Log what was denied or changed: whose set and why, nothing of the object."""
        if verdict.outcome == "unchanged":
            return
        self._log.info(
            "request is denied" if verdict.outcome == "denied" else "request is changed",
            namespace=asked.namespace,
            set=asked.name or "-",
            operation=asked.operation,
            dry_run=bool(asked.dry_run),
            sentence=verdict.message or "; ".join(verdict.warnings),
        )


class _Refused(Exception):
    """A request that is no review. Its text is the answer."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


def _check(request: web.BaseRequest) -> None:
    if request.path != PATH:
        raise _Refused(HTTPStatus.NOT_FOUND, f"only {PATH} is served here")
    if request.method != "POST":
        raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED, "only POST is answered here")
    if request.content_type != "application/json" or "Content-Encoding" in request.headers:
        raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "only plain JSON is read here")
    if (request.content_length or 0) > MOST_BODY_BYTES:
        raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE)


async def _body(request: web.BaseRequest, share: Share) -> bytes:
    chunks = []
    try:
        async for chunk in request.content.iter_any():
            share.take(len(chunk))
            if share.taken > MOST_BODY_BYTES:
                raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE)
            chunks.append(chunk)
    except NoRoom:
        raise _Refused(HTTPStatus.TOO_MANY_REQUESTS, _NO_ROOM) from None
    return b"".join(chunks)


_TOO_LARGE = f"at most {MOST_BODY_BYTES} bytes are read"
_NO_ROOM = f"at most {MOST_BODIES_BYTES} bytes of all requests are read at a time"
