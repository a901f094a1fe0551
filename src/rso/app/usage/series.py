"""What Prometheus says of claims, decoded and put together. Pure: bytes in, samples out.

An instant query answers with the time of the question; only raw points carry their own. So each
metric is asked for as a range (`metric[5m]`), which gives the points themselves. Points of several
metrics with the same time, to the millisecond, are of one scrape: only these make one sample.
Source: Prometheus, "HTTP API", "Range vectors"; tested against a real one.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from rso.app.usage.source import Fault, Key, Subject, Trouble
from rso.core.usage import Sample

NEEDED = ("capacity_bytes", "available_bytes", "used_bytes")
USEFUL = ("inodes", "inodes_used")  # a sample is good without
KEPT_POINTS = 3  # of a series: a scrape may come in between two of our queries

Point = tuple[float, float]  # seconds since 1970, value


class _Labels(msgspec.Struct, gc=False):
    namespace: str = ""
    persistentvolumeclaim: str = ""
    cluster: str = ""  # by convention the one that tells clusters apart


class _Series(msgspec.Struct, gc=False):
    metric: _Labels
    values: list[tuple[float, str]]


class _Data(msgspec.Struct, gc=False):
    result: list[_Series]


class _Answer(msgspec.Struct, gc=False):
    data: _Data
    warnings: list[str] | None = None


_decoder = msgspec.json.Decoder(_Answer)


class Series(msgspec.Struct, frozen=True, gc=False):
    """The newest points of one series, oldest first; values may be odd, as NaN."""

    key: Key
    cluster: str
    points: tuple[Point, ...]


class Answer(msgspec.Struct, frozen=True):
    """What came back for one metric; with warnings, something may be missing."""

    series: tuple[Series, ...]
    warnings: tuple[str, ...]


def decode(body: bytes | bytearray, keys: Collection[Key]) -> Answer:
    """Return the series of these claims.

    Raises: Trouble, when it is no answer to a question for points.
    """
    try:
        found = _decoder.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Trouble(Fault.MALFORMED, f"this is no matrix: {error}") from error
    return Answer(
        tuple(_series(each) for each in found.data.result if _key(each.metric) in keys),
        tuple(found.warnings or ()),
    )


def _key(labels: _Labels) -> Key:
    return labels.namespace, labels.persistentvolumeclaim


def _series(found: _Series) -> Series:
    points = tuple(_points(found.values[-KEPT_POINTS:]))
    return Series(_key(found.metric), found.metric.cluster, points)


def _points(values: Iterable[tuple[float, str]]) -> Iterator[Point]:
    for seconds, text in values:
        try:
            yield seconds, float(text)
        except ValueError:
            continue


class Table:
    """All points of the claims asked about, by claim and time."""

    def __init__(self, subjects: Iterable[Subject]) -> None:
        self._claims = {each.key: _Claim(each) for each in subjects}

    @property
    def keys(self) -> Collection[Key]:
        """The claims."""
        return self._claims.keys()

    def add(self, metric: str, answer: Answer) -> None:
        """Take the points of one metric."""
        for series in answer.series:
            self._claims[series.key].add(metric, series)

    def samples(self) -> dict[Key, Sample]:
        """Return the newest whole sample of each claim whose series do not contradict each other.

        Of several series of one claim the newest counts.
        """
        found = ((key, claim.sample()) for key, claim in self._claims.items())
        return {key: sample for key, sample in found if sample is not None}

    def ambiguous(self) -> list[Key]:
        """Return the claims whose series contradict each other: none of them is believed."""
        return [key for key, claim in self._claims.items() if claim.is_ambiguous]


class _Claim:
    """The points of one claim: {time: {metric: value}}."""

    def __init__(self, subject: Subject) -> None:
        self._uid = subject.claim_uid
        self._created_at = subject.claim_created_at
        self._points: dict[float, dict[str, float]] = {}
        self._cluster: str | None = None
        self._capacity: float | None = None
        self.is_ambiguous = False

    def add(self, metric: str, series: Series) -> None:
        """Take the points since the claim was made: older ones are those of another claim."""
        points = [each for each in series.points if each[0] >= self._created_at]
        for seconds, value in points:
            values = self._points.setdefault(seconds, {})
            self.is_ambiguous |= metric in values and values[metric] != value
            values[metric] = value
        if points:
            self._compare(metric, series.cluster, points[-1][1])

    def _compare(self, metric: str, cluster: str, value: float) -> None:
        """Note a series of another cluster, or of another file system: its size tells."""
        self.is_ambiguous |= self._cluster not in (None, cluster)
        self._cluster = cluster
        if metric == "capacity_bytes":
            self.is_ambiguous |= self._capacity not in (None, value)
            self._capacity = value

    def sample(self) -> Sample | None:
        """Return the newest points that make a sample."""
        if self.is_ambiguous:
            return None
        for seconds in sorted(self._points, reverse=True):
            values = self._points[seconds]
            taken_at = _moment(seconds)
            if taken_at is not None and all(name in values for name in NEEDED):
                return _sample(self._uid, taken_at, values)
        return None


def _sample(uid: str, taken_at: datetime, values: Mapping[str, float]) -> Sample:
    inodes = values.get("inodes") or None  # btrfs has none and says 0
    return Sample(
        claim_uid=uid,
        taken_at=taken_at,
        capacity_bytes=values["capacity_bytes"],
        used_bytes=values["used_bytes"],
        available_bytes=values["available_bytes"],
        inodes=inodes,
        inodes_used=None if inodes is None else values.get("inodes_used"),
    )


def _moment(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
