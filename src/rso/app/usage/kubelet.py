"""Usage as each kubelet says it: /stats/summary, asked directly, with the right `nodes/stats` only.

The address is a Pod's `status.hostIP`, so no right to read nodes is needed. What a kubelet says is
believed only for the Pods that the API server has put on its node; one that speaks of others, or
calls itself another node, is not believed at all in this pass.
Source: Kubernetes, "Kubelet authentication/authorization": `nodes/stats` is enough for this path.
"""

import asyncio
import ipaddress
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from yarl import URL

from rso.app.usage.http import Question, Web
from rso.app.usage.rounds import PASS_SECONDS, Late, Round
from rso.app.usage.source import Failure, Fault, Key, Measured, Subject, Trouble, newest
from rso.app.usage.summary import Summary, decode
from rso.core.usage import Sample
from rso.kube.auth import Credentials, tls
from rso.kube.clock import Clock
from rso.kube.errors import NoCredentials

NAME = "kubelet"
PATH = "/stats/summary"
_NodeKey = tuple[str, str]  # name and address


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeletSettings:
    """How kubelets are asked.

    Without `ca_file` the credentials' own authority counts, which is the cluster's. `insecure`
    believes any certificate: whoever answers at a node's address then gets our token. `most_bytes`
    is room for about 1,500 Pods; `parallel` times that is what hostile nodes can make us hold.
    """

    port: int = 10250
    ca_file: Path | None = None
    insecure: bool = False
    parallel: int = 8
    seconds: float = 10.0
    pass_seconds: float = PASS_SECONDS
    most_bytes: int = 8 * 2**20


class KubeletSource:
    """Asks every node that carries subjects, some at a time."""

    def __init__(self, settings: KubeletSettings, credentials: Credentials, clock: Clock) -> None:
        self._settings = settings
        self._credentials = credentials
        # Until the next look a connection is of no use, and keeps half a megabyte.
        self._web = Web(clock, keeps=False)
        self._clock = clock
        self._late = Late()

    async def measure(self, subjects: Sequence[Subject]) -> Measured:
        """Return what the nodes say; each that fails is named and hides only its own volumes."""
        try:
            headers = await self._credentials.headers()
            asking = self._asking(headers)
        except NoCredentials as error:
            return Measured({}, (Trouble(Fault.NO_CREDENTIALS, str(error)).at(NAME, "nodes"),))
        found = _Found({each.pod_uid: each.node for each in subjects})
        async with asyncio.TaskGroup() as group:
            for node, its in self._late.last(by_node(subjects).items(), lambda each: each[0][0]):
                group.create_task(found.take(node, its, asking))
        self._late.learn(found.failures)
        if any(each.fault is Fault.UNAUTHORIZED for each in found.failures):
            await self._credentials.renew()  # once, for the next pass: nodes are many
        return Measured(newest(found.readings), tuple(found.failures))

    async def close(self) -> None:
        await self._web.close()

    def _asking(self, headers: Mapping[str, str]) -> "_Asking":
        settings = self._settings
        turns = Round(self._clock, settings.parallel, settings.pass_seconds)
        return _Asking(self._web, settings, headers, self._tls_context(), turns)

    def _tls_context(self) -> ssl.SSLContext | None:
        """Return what makes a kubelet believable; a file is read anew for each pass."""
        if self._settings.insecure:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context
        if self._settings.ca_file is not None:
            return tls(self._settings.ca_file)
        return self._credentials.ssl_context


class _Asking:
    """How one pass asks: with the same credentials everywhere, some nodes at a time."""

    def __init__(
        self,
        web: Web,
        settings: KubeletSettings,
        headers: Mapping[str, str],
        tls_context: ssl.SSLContext | None,
        turns: Round,
    ) -> None:
        self._web = web
        self._settings = settings
        self._headers = headers
        self._tls_context = tls_context
        self._turns = turns

    async def summary(self, address: str) -> Summary:
        """Return what the kubelet at an address says.

        Raises: Trouble.
        """
        url = _url(address, self._settings.port)
        async with self._turns.turn(self._settings.seconds) as seconds:
            question = Question(
                url=url,
                headers=self._headers,
                ssl_context=self._tls_context,
                seconds=seconds,
                most_bytes=self._settings.most_bytes,
            )
            return decode(await self._web.ask(question))


class _Found:
    """What one pass has found; `homes` is {uid of a Pod: the node it runs on}."""

    def __init__(self, homes: Mapping[str, str]) -> None:
        self.readings: list[tuple[Key, Sample]] = []
        self.failures: list[Failure] = []
        self._homes = homes

    async def take(self, node: _NodeKey, subjects: Sequence[Subject], asking: _Asking) -> None:
        """Take what one node says of its own subjects, or note why not."""
        name, address = node
        try:
            said = await asking.summary(address)
            self._check(name, said)
        except Trouble as trouble:
            self.failures.append(trouble.at(NAME, name))
        else:
            self.readings += matching(said, subjects)

    def _check(self, name: str, said: Summary) -> None:
        """Raise Trouble for a node that speaks of what is not its own."""
        if said.node not in ("", name):
            raise Trouble(Fault.FOREIGN, f"node {said.node} answers at this node's address")
        for uid in said.pod_uids:
            if self._homes.get(uid, name) != name:
                raise Trouble(Fault.FOREIGN, f"it speaks of a Pod of node {self._homes[uid]}")


def by_node(subjects: Sequence[Subject]) -> dict[_NodeKey, list[Subject]]:
    """Return {node: its subjects}; a Pod that has no address yet is on no node."""
    nodes: dict[_NodeKey, list[Subject]] = {}
    for subject in subjects:
        if subject.host_ip:
            nodes.setdefault((subject.node, subject.host_ip), []).append(subject)
    return nodes


def matching(said: Summary, subjects: Sequence[Subject]) -> Iterator[tuple[Key, Sample]]:
    """Yield what a kubelet says of these subjects: the uid of the Pod and the claim must fit."""
    wanted = {(each.pod_uid, each.namespace, each.claim): each.claim_uid for each in subjects}
    for each in said.readings:
        uid = wanted.get((each.pod_uid, each.namespace, each.claim))
        if uid is not None:
            yield (
                (each.namespace, each.claim),
                Sample(
                    claim_uid=uid,
                    taken_at=each.taken_at,
                    capacity_bytes=each.capacity_bytes,
                    used_bytes=each.used_bytes,
                    available_bytes=each.available_bytes,
                    inodes=each.inodes,
                    inodes_used=each.inodes_used,
                ),
            )


def _url(address: str, port: int) -> URL:
    """Return where a kubelet answers.

    Raises: Trouble, for what is no address: the token must not follow a name or a path.
    """
    try:
        host = str(ipaddress.ip_address(address))
    except ValueError:
        raise Trouble(Fault.MALFORMED, f"{address!a} is no address") from None
    return URL.build(scheme="https", host=host, port=port, path=PATH)
