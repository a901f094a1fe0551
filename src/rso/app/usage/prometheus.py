"""Usage from a Prometheus that scrapes the kubelets: one query for each metric, for all sets.

It needs no right in the cluster. It knows claims by name only, so one that sees several clusters
needs a matcher that leaves one of them.
"""

import base64
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from yarl import URL

from rso.app.usage.http import Question, Web
from rso.app.usage.series import NEEDED, USEFUL, Answer, Table, decode
from rso.app.usage.source import Failure, Fault, Measured, Subject, Trouble
from rso.kube.auth import tls
from rso.kube.clock import Clock
from rso.kube.errors import NoCredentials

NAME = "prometheus"
PREFIX = "kubelet_volume_stats_"
MOST_NAMESPACES = 50  # more in a query help less than they cost
_MATCHER = re.compile(r'[a-zA-Z_][a-zA-Z0-9_]*\s*(=~|!~|!=|=)\s*"([^"\\\n]|\\.)*"', re.ASCII)
_HEADER = re.compile(r"([A-Za-z0-9-]+):[ \t]*([\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?)", re.ASCII)


def server_url(text: str) -> URL:
    """Return where a Prometheus is, perhaps below a path.

    Raises: ValueError, with what is allowed.
    """
    try:
        url = URL(text)
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host or url.user or url.password:
        raise ValueError(f"{text!a} is no address; write http://HOST:PORT/PATH, no user in it")
    return url


def matcher(text: str) -> str:
    """Return a condition on a label, such as `cluster="prod"`.

    Raises: ValueError, with what is allowed.
    """
    if not _MATCHER.fullmatch(text.strip()):
        raise ValueError(f'{text!a} is no matcher; write LABEL="VALUE", or with !=, =~ or !~')
    return text.strip()


def header(text: str) -> tuple[str, str]:
    """Return name and value of an HTTP header, written as `Name: value`.

    Raises: ValueError, with what is allowed.
    """
    found = _HEADER.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text.partition(':')[0]!a} is no header; write Name: value")
    return found[1], found[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusSettings:
    """How a Prometheus is asked.

    Files are read anew for each pass. A token or a user with a password, not both. Points older
    than `window_seconds` are not asked for; it should hold two scrapes.
    """

    url: URL
    token_file: Path | None = None
    user: str = ""
    password_file: Path | None = None
    ca_file: Path | None = None
    headers: tuple[tuple[str, str], ...] = ()
    matchers: tuple[str, ...] = ()
    window_seconds: int = 300
    seconds: float = 30.0
    most_bytes: int = 64 * 2**20

    def __post_init__(self) -> None:
        """Check what cannot be together.

        Raises: ValueError.
        """
        if self.token_file and (self.user or self.password_file):
            raise ValueError("give a token, or a user with a password, not both")
        if bool(self.user) != bool(self.password_file):
            raise ValueError("a user and a password file belong together")


class PrometheusSource:
    """Asks for one metric after another, so that one answer at a time is in memory."""

    def __init__(self, settings: PrometheusSettings, clock: Clock) -> None:
        self._settings = settings
        self._web = Web(clock)

    async def measure(self, subjects: Sequence[Subject]) -> Measured:
        """Return the newest whole sample of each claim, dated by its scrape.

        Without one of the three amounts there is none; without inodes they are unknown.
        """
        try:
            headers, tls_context = self._headers(), self._tls_context()
        except NoCredentials as error:
            return Measured({}, (Trouble(Fault.NO_CREDENTIALS, str(error)).at(NAME, "queries"),))
        table, failures = Table(subjects), list[Failure]()
        for metric in (*NEEDED, *USEFUL):
            question = self._question(metric, subjects, headers, tls_context)
            try:
                answer = decode(await self._web.ask(question), table.keys)
            except Trouble as trouble:
                failures.append(trouble.at(NAME, PREFIX + metric))
                if metric in NEEDED:
                    return Measured({}, tuple(failures))
            else:
                table.add(metric, answer)
                failures += _warned(metric, answer)
        return Measured(table.samples(), (*failures, *_ambiguous(table)))

    async def close(self) -> None:
        await self._web.close()

    def _question(
        self,
        metric: str,
        subjects: Sequence[Subject],
        headers: Mapping[str, str],
        tls_context: ssl.SSLContext | None,
    ) -> Question:
        settings = self._settings
        conditions = ",".join((*_of_namespaces(subjects), *settings.matchers))
        query = f"{PREFIX}{metric}{{{conditions}}}[{settings.window_seconds}s]"
        return Question(
            url=(settings.url / "api/v1/query").with_query(settings.url.query),
            headers=headers,
            ssl_context=tls_context,
            seconds=settings.seconds,
            most_bytes=settings.most_bytes,
            form={"query": query},
        )

    def _headers(self) -> dict[str, str]:
        """Return all headers.

        Raises: NoCredentials.
        """
        headers = dict(self._settings.headers)
        if self._settings.token_file:
            headers["Authorization"] = f"Bearer {_secret(self._settings.token_file)}"
        if self._settings.password_file:
            pair = f"{self._settings.user}:{_secret(self._settings.password_file)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return headers

    def _tls_context(self) -> ssl.SSLContext | None:
        return tls(self._settings.ca_file) if self._settings.ca_file else None


def _of_namespaces(subjects: Sequence[Subject]) -> tuple[str, ...]:
    """Return the condition that leaves only the subjects' namespaces, while these are few."""
    names = sorted({each.namespace for each in subjects})
    return (f'namespace=~"{"|".join(names)}"',) if len(names) <= MOST_NAMESPACES else ()


def _secret(path: Path) -> str:
    try:
        text = path.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise NoCredentials(f"cannot read {path}: {error}") from error
    if not text.isprintable() or not text:
        raise NoCredentials(f"{path} holds no secret that fits into a header")
    return text


def _warned(metric: str, answer: Answer) -> list[Failure]:
    if not answer.warnings:
        return []
    words = f"{len(answer.warnings)} warnings, such as: {answer.warnings[0]}"
    return [Trouble(Fault.PARTIAL, words).at(NAME, PREFIX + metric)]


def _ambiguous(table: Table) -> list[Failure]:
    claims = table.ambiguous()
    if not claims:
        return []
    example = "/".join(claims[0])
    words = f"{len(claims)} claims have series that contradict each other, such as {example}"
    return [Trouble(Fault.AMBIGUOUS, words).at(NAME, "queries")]
