"""What every usage source is asked and answers.

A source is asked about subjects: a claim and a Pod that mounts it. It answers with what it read,
and with what it could not read and why. Nothing that a node, a Prometheus or a Pod says makes it
raise: who is dead, slow or lying hides only its own volumes, and is named.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from rso.core.usage import Sample
from rso.kube.errors import printable

SENTENCE_CHARACTERS = 300  # of a failure: the words of strangers, in logs and metrics

Key = tuple[str, str]  # namespace and name of a claim


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A claim that somebody wants to know of, and one Pod that mounts it.

    Two Pods of one claim are two subjects. `host_ip` is the Pod's `status.hostIP`, empty while it
    has none; `container` and `mount_path` are one place where the claim is mounted, empty without
    one. `claim_created_at` is in seconds since 1970: by it a source that knows no uids tells this
    claim from an older one of the same name.
    """

    namespace: str
    claim: str
    claim_uid: str
    pod: str
    pod_uid: str
    node: str
    host_ip: str
    container: str = ""
    mount_path: str = ""
    claim_created_at: float = 0.0

    @property
    def key(self) -> Key:
        """Which claim it is about."""
        return self.namespace, self.claim


class Fault(StrEnum):
    """Why something could not be read: a closed list, fit for the label of a metric."""

    NO_CREDENTIALS = "NoCredentials"  # a token or password of ours cannot be read
    UNREACHABLE = "Unreachable"  # no connection, or one that was cut
    UNTRUSTED = "Untrusted"  # the certificate is not what it should be
    TIMED_OUT = "TimedOut"
    NOT_ASKED = "NotAsked"  # the time of a whole look was over before
    UNAUTHORIZED = "Unauthorized"  # 401: it does not take our credentials
    FORBIDDEN = "Forbidden"  # 403: they lack the right
    REFUSED = "Refused"  # any other answer than the good one; redirects are not followed
    TOO_LARGE = "TooLarge"
    MALFORMED = "Malformed"
    FOREIGN = "Foreign"  # it speaks of what is not its own
    PARTIAL = "Partial"  # it says itself that something is missing; the rest was taken
    AMBIGUOUS = "Ambiguous"  # two answers to one question, and no way to tell which is right


class Failure(msgspec.Struct, frozen=True):
    """Something that could not be read.

    `place` is a node, a query or NAMESPACE/POD; `sentence` is one line of bounded length.
    """

    source: str
    place: str
    fault: Fault
    sentence: str


class Measured(msgspec.Struct, frozen=True):
    """What a source found; claims that it knows nothing of are simply not there."""

    samples: Mapping[Key, Sample]
    failures: tuple[Failure, ...] = ()


class Source(Protocol):
    """Somebody who knows how full volumes are."""

    async def measure(self, subjects: Sequence[Subject]) -> Measured:
        """Return the newest reading of each claim that it could get, and what failed."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class Trouble(Exception):
    """One question that got no usable answer; it becomes a Failure and never leaves a source."""

    def __init__(self, fault: Fault, sentence: str) -> None:
        super().__init__(sentence)
        self.fault = fault

    def at(self, source: str, place: str) -> Failure:
        """Return the failure that this is, in a place."""
        return Failure(source, place, self.fault, printable(str(self), SENTENCE_CHARACTERS))


class InOrder:
    """Several sources in order of trust: the next is asked only for what the former lacked."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    async def measure(self, subjects: Sequence[Subject]) -> Measured:
        """Return the reading of the first source that has one, for each claim."""
        samples: dict[Key, Sample] = {}
        failures: list[Failure] = []
        for source in self._sources:
            missing = [each for each in subjects if each.key not in samples]
            if not missing:
                break
            found = await source.measure(missing)
            samples.update(found.samples)
            failures += found.failures
        return Measured(samples, tuple(failures))

    async def close(self) -> None:
        for source in self._sources:
            await source.close()


def newest(readings: Iterable[tuple[Key, Sample]]) -> dict[Key, Sample]:
    """Return the newest of all readings of each claim; of equally old ones the last."""
    samples: dict[Key, Sample] = {}
    for key, sample in readings:
        known = samples.get(key)
        if known is None or known.taken_at <= sample.taken_at:
            samples[key] = sample
    return samples
