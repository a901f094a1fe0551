"""One question over HTTP, asked once; whatever goes wrong is a `Trouble` with a word for it.

The other side may be broken or hostile: time and size of an answer are bounded, a redirect is not
followed, since a token is for one server only, and no packed answer is asked for, since a small one
can unpack to any size.
"""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import aiohttp
import msgspec
from yarl import URL

from rso.app.usage.source import Fault, Trouble
from rso.kube.clock import Clock, within

CONNECT_SECONDS = 5.0  # who does not accept by then is away; others wait for the slot
TOLD_BYTES = 500  # of a refusal: the first words say why
PLAIN = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "rso"}


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A request with its bounds; a form makes it a POST."""

    url: URL
    headers: Mapping[str, str]
    ssl_context: ssl.SSLContext | None
    seconds: float
    most_bytes: int
    form: Mapping[str, str] | None = None


class Web:
    """A session with connections of its own; each is for one question only, unless `keeps`."""

    def __init__(self, clock: Clock, *, keeps: bool = True) -> None:
        self._clock = clock
        self._keeps = keeps
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, question: Question) -> bytearray:
        """Return the body of a 200.

        Raises: Trouble.
        """
        with translated():
            return await within(self._clock, question.seconds, self._ask(question))

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def _ask(self, question: Question) -> bytearray:
        async with self.session().request(
            "GET" if question.form is None else "POST",
            question.url,
            data=question.form,
            headers=question.headers,
            ssl=question.ssl_context or True,
            allow_redirects=False,
        ) as answer:
            if answer.status != 200:  # noqa: PLR2004  there is one good answer
                raise refusal(answer.status, bytes(await _read(answer, TOLD_BYTES, cut=True)))
            if answer.headers.get("Content-Encoding", "identity") != "identity":
                raise Trouble(Fault.MALFORMED, "the answer is packed, which was not asked for")
            return await _read(answer, question.most_bytes)

    def session(self) -> aiohttp.ClientSession:
        """Return the session, made when it is first needed: it belongs to the running loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # No limit: each source has one of its own.
                connector=aiohttp.TCPConnector(limit=0, force_close=not self._keeps),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                auto_decompress=False,
                headers=PLAIN,
            )
        return self._session


async def _read(answer: aiohttp.ClientResponse, most: int, *, cut: bool = False) -> bytearray:
    """Return the body; one that is too large is cut, or is a Trouble."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > most:
            if cut:
                return body[:most]
            raise Trouble(Fault.TOO_LARGE, f"the answer has more than {most} bytes")
    return body


def refusal(status: int, told: bytes) -> Trouble:
    """Return what an answer with another status than the good one means."""
    fault = {401: Fault.UNAUTHORIZED, 403: Fault.FORBIDDEN}.get(status, Fault.REFUSED)
    words = told.decode(errors="replace").strip()
    return Trouble(fault, f"answered {status}: {words}" if words else f"answered {status}")


@contextmanager
def translated() -> Iterator[None]:
    """Turn every error of a request into a Trouble; the order is from special to general."""
    try:
        yield
    except TimeoutError as error:
        raise Trouble(Fault.TIMED_OUT, str(error) or "no answer in time") from error
    except (aiohttp.ClientSSLError, ssl.SSLError) as error:
        raise Trouble(Fault.UNTRUSTED, str(error)) from error
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError) as error:
        raise Trouble(Fault.UNREACHABLE, f"{type(error).__name__}: {error}") from error
    except (aiohttp.ClientError, ValueError) as error:
        raise Trouble(Fault.MALFORMED, f"no HTTP: {type(error).__name__}: {error}") from error
