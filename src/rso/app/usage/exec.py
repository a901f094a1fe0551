"""Usage as `df` in the Pod says it, by the API server's exec: where nothing else is allowed.

An opt-in: it needs the right to run any command in any Pod that it is given for, an image with a
`df`, and two commands for each claim in each pass. What a Pod says is its tenant's word.
Source: Kubernetes, remote command over WebSocket, `v5.channel.k8s.io` (KEP-4006); the first byte of
each message is its channel. On 1.37 it takes the verbs `get` and `create` on `pods/exec`, on older
ones `get` (seen on 1.37.2; feature gate AuthorizePodWebsocketUpgradeCreatePermission).
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
from yarl import URL

from rso.app.usage.df import BLOCKS, INODES, parse_blocks, parse_inodes
from rso.app.usage.http import Web, refusal, translated
from rso.app.usage.rounds import PASS_SECONDS, Late, Round
from rso.app.usage.source import Failure, Fault, Key, Measured, Subject, Trouble, newest
from rso.core.usage import Sample
from rso.kube.auth import Access
from rso.kube.clock import Clock, within
from rso.kube.errors import NoCredentials

NAME = "exec"
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")  # they differ in stdin only
STDOUT, STDERR, STATUS = 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecSettings:
    """How Pods are asked; the bounds are those of one command."""

    parallel: int = 8
    seconds: float = 10.0
    pass_seconds: float = PASS_SECONDS
    most_bytes: int = 16 * 2**10


class _Status(msgspec.Struct):
    status: str = ""
    message: str = ""


class ExecSource:
    """Runs `df` in each subject's container, without a shell."""

    def __init__(self, settings: ExecSettings, access: Access, clock: Clock) -> None:
        self._settings = settings
        self._access = access
        self._clock = clock
        self._web = Web(clock)
        self._late = Late()

    async def measure(self, subjects: Sequence[Subject]) -> Measured:
        """Return what the Pods say; each that fails is named and hides only its own claims."""
        try:
            headers = await self._access.credentials.headers()
        except NoCredentials as error:
            return Measured({}, (Trouble(Fault.NO_CREDENTIALS, str(error)).at(NAME, "pods"),))
        found = _Found(_Runner(self._web, self._settings, self._access, headers), self._clock)
        settings = self._settings
        turns = Round(self._clock, settings.parallel, settings.pass_seconds)
        async with asyncio.TaskGroup() as group:
            for subject in self._late.last(subjects, _place):
                if subject.container and subject.mount_path.startswith("/"):
                    group.create_task(found.take(subject, turns, settings.seconds))
        self._late.learn(found.failures)
        if any(each.fault is Fault.UNAUTHORIZED for each in found.failures):
            await self._access.credentials.renew()
        return Measured(newest(found.readings), tuple(found.failures))

    async def close(self) -> None:
        await self._web.close()


def _place(subject: Subject) -> str:
    return f"{subject.namespace}/{subject.pod}"


class _Found:
    """What one pass has found."""

    def __init__(self, runner: "_Runner", clock: Clock) -> None:
        self.readings: list[tuple[Key, Sample]] = []
        self.failures: list[Failure] = []
        self._runner = runner
        self._clock = clock

    async def take(self, subject: Subject, turns: Round, seconds: float) -> None:
        """Take what one Pod says of its claim, or note why not."""
        try:
            async with turns.turn(seconds) as left:
                with translated():
                    sample = await within(self._clock, left, self._read(subject))
            self.readings.append((subject.key, sample))
        except Trouble as trouble:
            self.failures.append(trouble.at(NAME, _place(subject)))

    async def _read(self, subject: Subject) -> Sample:
        """Return a claim's sample; its time is before the reading, never after.

        Raises: Trouble.
        """
        taken_at = self._clock.now()
        path = subject.mount_path
        blocks = parse_blocks(await self._runner.run(subject, (*BLOCKS, path)), path)
        inodes = await self._inodes(subject)
        return Sample(
            claim_uid=subject.claim_uid,
            taken_at=taken_at,
            capacity_bytes=blocks.capacity_bytes,
            used_bytes=blocks.used_bytes,
            available_bytes=blocks.available_bytes,
            inodes=inodes[0] if inodes else None,
            inodes_used=inodes[1] if inodes else None,
        )

    async def _inodes(self, subject: Subject) -> tuple[float, float] | None:
        """Return all and used inodes, None where there are none, or `df` cannot count them."""
        path = subject.mount_path
        try:
            return parse_inodes(await self._runner.run(subject, (*INODES, path)), path)
        except Trouble as trouble:
            if trouble.fault in (Fault.REFUSED, Fault.MALFORMED):
                return None
            raise


class _Runner:
    """Runs commands in containers."""

    def __init__(
        self, web: Web, settings: ExecSettings, access: Access, headers: Mapping[str, str]
    ) -> None:
        self._web = web
        self._settings = settings
        self._access = access
        self._headers = headers

    async def run(self, subject: Subject, command: Sequence[str]) -> str:
        """Return what a command prints.

        Raises: Trouble, also when the command fails; whatever aiohttp raises.
        """
        try:
            socket = await self._connect(_target(subject, command))
        except aiohttp.WSServerHandshakeError as error:
            raise refusal(error.status, _HINTS.get(error.status, b"")) from error
        async with socket:
            output = _Output(self._settings.most_bytes)
            async for message in socket:
                output.add(message)
            return output.result()

    async def _connect(self, target: str) -> aiohttp.ClientWebSocketResponse:
        access = self._access
        socket = await self._web.session().ws_connect(
            URL(access.server + target, encoded=True),
            protocols=PROTOCOLS,
            headers={**self._headers, "Accept": "*/*"},  # exec answers 406 to anything narrower
            ssl=access.credentials.ssl_context or True,
            server_hostname=access.tls_server_name,
            proxy=access.proxy,
            max_msg_size=self._settings.most_bytes,
        )
        if socket.protocol not in PROTOCOLS:
            await socket.close()
            raise Trouble(Fault.MALFORMED, "the server speaks no protocol of exec that we know")
        return socket


class _Output:
    """What comes back of one command, by channel."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes
        self._channels = {STDOUT: bytearray(), STDERR: bytearray(), STATUS: bytearray()}

    def add(self, message: aiohttp.WSMessage) -> None:
        """Take a message.

        Raises: Trouble, for one that is none of exec, and when it is too much.
        """
        if message.type is aiohttp.WSMsgType.ERROR:
            raise Trouble(Fault.MALFORMED, f"the connection broke: {message.data}")
        if message.type is not aiohttp.WSMsgType.BINARY or message.data[:1] not in _CHANNELS:
            raise Trouble(Fault.MALFORMED, "a message that is none of exec")
        self._left -= len(message.data)
        if self._left < 0:
            raise Trouble(Fault.TOO_LARGE, "the command prints too much")
        self._channels[message.data[0]] += message.data[1:]

    def result(self) -> str:
        """Return the standard output of a command that succeeded.

        Raises: Trouble.
        """
        try:
            status = msgspec.json.decode(self._channels[STATUS], type=_Status)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise Trouble(Fault.MALFORMED, "the command has no result") from error
        if status.status != "Success":
            words = self._channels[STDERR].decode(errors="replace").strip() or status.message
            raise Trouble(Fault.REFUSED, f"the command failed: {words}")
        return self._channels[STDOUT].decode(errors="replace")


_HINTS = {403: b"it takes the verbs get and create on pods/exec"}
_CHANNELS = (bytes([STDOUT]), bytes([STDERR]), bytes([STATUS]))


def _target(subject: Subject, command: Sequence[str]) -> str:
    query = [
        ("container", subject.container),
        ("stdout", "true"),
        ("stderr", "true"),
        *(("command", each) for each in command),
    ]
    names = (quote(each, safe="") for each in (subject.namespace, subject.pod))
    return "/api/v1/namespaces/{}/pods/{}/exec?".format(*names) + urlencode(query)
