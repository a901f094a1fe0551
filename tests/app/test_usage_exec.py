"""The exec source against an API server on loopback that answers commands as a test wants."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from rso.app.usage.exec import ExecSettings, ExecSource
from rso.app.usage.source import Fault, Measured, Subject
from rso.kube.auth import Access, Anonymous, Credentials, TokenFile
from tests.kube.clock import START, FakeClock, until
from tests.support.usage import sample, subject

KEY = ("shop", "data-db-0")
EXEC = "/api/v1/namespaces/{namespace}/pods/{pod}/exec"
BLOCKS = "F 1024-blocks Used Available Capacity Mounted on\n/dev/a 100 70 30 70% /data\n"
INODES = "F Inodes IUsed IFree IUse% Mounted on\n/dev/a 1000 10 990 1% /data\n"
KIB = 1024
EXPECTED = sample(
    taken_at=START,
    capacity_bytes=100 * KIB,
    used_bytes=70 * KIB,
    available_bytes=30 * KIB,
)
SUCCESS = json.dumps({"kind": "Status", "status": "Success"}).encode()
Script = Callable[[web.WebSocketResponse], Awaitable[None]]


def said(*messages: tuple[int, bytes]) -> Script:
    """Return what sends these messages: channel and bytes."""

    async def send(socket: web.WebSocketResponse) -> None:
        for channel, content in messages:
            await socket.send_bytes(bytes([channel]) + content)

    return send


def failed(reason: str) -> bytes:
    """Return the status of a command that failed."""
    return json.dumps({"status": "Failure", "message": reason}).encode()


class Pods:
    """What each command gets, by its last flag; a number is an HTTP status instead."""

    def __init__(self) -> None:
        self.answers: dict[str, Script | int] = {
            "-k": said(
                (1, BLOCKS[:30].encode()), (2, b""), (1, BLOCKS[30:].encode()), (3, SUCCESS)
            ),
            "-i": said((1, INODES.encode()), (3, SUCCESS)),
        }
        self.asked: list[web.Request] = []
        self.protocols: tuple[str, ...] = ("v5.channel.k8s.io",)
        self.url = ""

    def commands(self) -> list[str]:
        """Return the commands as a shell would take them."""
        return [" ".join(each.query.getall("command")) for each in self.asked]

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_get(EXEC, self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        answer = self.answers[request.query.getall("command")[2]]
        if isinstance(answer, int):
            return web.Response(status=answer)
        socket = web.WebSocketResponse(protocols=self.protocols)
        await socket.prepare(request)
        await answer(socket)
        await socket.close()
        return socket


@pytest.fixture
async def pods() -> AsyncIterator[Pods]:
    """Yield an API server whose Pods answer well."""
    made = Pods()
    async with made.serve():
        yield made


async def measure(
    pods: Pods,
    *subjects: Subject,
    credentials: Credentials | None = None,
    settings: ExecSettings | None = None,
) -> Measured:
    """Return what a new source finds; without subjects, of data-db-0."""
    access = Access(pods.url, credentials or Anonymous())
    source = ExecSource(settings or ExecSettings(), access, FakeClock())
    try:
        return await source.measure(subjects or [subject(0)])
    finally:
        await source.close()


def faults(found: Measured) -> list[tuple[str, Fault]]:
    """Return place and fault of each failure."""
    return [(each.place, each.fault) for each in found.failures]


async def test_two_commands_without_a_shell(pods: Pods) -> None:
    """`df` for blocks and for inodes, in the container that mounts the claim."""
    found = await measure(pods)

    assert ({KEY: EXPECTED}, ()) == (found.samples, found.failures)
    assert ["df -P -k /data", "df -P -i /data"] == pods.commands()
    [first, _] = pods.asked
    assert ("/api/v1/namespaces/shop/pods/db-0/exec", "main") == (
        first.path,
        first.query["container"],
    )
    assert "true" == first.query["stdout"] == first.query["stderr"]
    assert "stdin" not in first.query


async def test_the_older_protocol_will_do(pods: Pods) -> None:
    """v5 is asked for first, v4 is taken."""
    pods.protocols = ("v4.channel.k8s.io",)

    found = await measure(pods)

    assert {KEY: EXPECTED} == found.samples
    offered = pods.asked[0].headers["Sec-WebSocket-Protocol"]
    assert "v5.channel.k8s.io,v4.channel.k8s.io" == offered


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        pytest.param(401, Fault.UNAUTHORIZED, id="401"),
        pytest.param(403, Fault.FORBIDDEN, id="403"),
        pytest.param(404, Fault.REFUSED, id="no such Pod"),
        pytest.param(500, Fault.REFUSED, id="500"),
        pytest.param(200, Fault.REFUSED, id="no WebSocket"),
        pytest.param(said(), Fault.MALFORMED, id="nothing"),
        pytest.param(said((1, BLOCKS.encode())), Fault.MALFORMED, id="no result"),
        pytest.param(said((3, b"{")), Fault.MALFORMED, id="a result that is none"),
        pytest.param(said((3, SUCCESS)), Fault.MALFORMED, id="no output"),
        pytest.param(said((9, b"x")), Fault.MALFORMED, id="another channel"),
        pytest.param(lambda socket: socket.send_bytes(b""), Fault.MALFORMED, id="no channel"),
        pytest.param(lambda socket: socket.send_str("x"), Fault.MALFORMED, id="text"),
        pytest.param(said((3, failed("no df"))), Fault.REFUSED, id="no df in the image"),
        pytest.param(said(*[(1, b" " * 9000)] * 2), Fault.TOO_LARGE, id="much output"),
        pytest.param(said((1, b" " * 2**20)), Fault.MALFORMED, id="a message too large"),
    ],
)
async def test_a_bad_answer_hides_only_its_claim(
    pods: Pods, answer: Script | int, fault: Fault
) -> None:
    """The Pod is named with a word, and nothing more is asked of it."""
    pods.answers["-k"] = answer

    found = await measure(pods)

    assert ({}, [("shop/db-0", fault)]) == (found.samples, faults(found))
    assert 1 == len(pods.asked)


async def test_a_403_tells_the_rights_it_takes(pods: Pods) -> None:
    """Both verbs are needed since 1.35, which nobody guesses."""
    pods.answers["-k"] = 403

    [failure] = (await measure(pods)).failures

    assert "answered 403: it takes the verbs get and create on pods/exec" == failure.sentence


async def test_a_failed_command_tells_its_words(pods: Pods) -> None:
    """What it printed on standard error, on one line."""
    pods.answers["-k"] = said((2, b"df: not\nfound"), (3, failed("exit code 1")))

    [failure] = (await measure(pods)).failures

    assert "the command failed: df: not\\nfound" == failure.sentence


async def test_an_unknown_protocol_is_refused(pods: Pods) -> None:
    """A server that chooses none of ours is not understood."""
    pods.protocols = ()

    assert [("shop/db-0", Fault.MALFORMED)] == faults(await measure(pods))


async def test_nothing_listens() -> None:
    """An API server that is away is one failure for each Pod."""
    pods = Pods()
    async with pods.serve():
        pass

    assert [("shop/db-0", Fault.UNREACHABLE)] == faults(await measure(pods))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(said((2, b"invalid option -- 'i'"), (3, failed("exit code 1"))), id="no -i"),
        pytest.param(said((1, BLOCKS.encode()), (3, SUCCESS)), id="-i ignored"),
    ],
)
async def test_a_df_without_inodes_is_no_failure(pods: Pods, answer: Script) -> None:
    """Inodes are unknown then, and the amounts count."""
    pods.answers["-i"] = answer

    found = await measure(pods)

    assert [(None, None)] == [(each.inodes, each.inodes_used) for each in found.samples.values()]
    assert () == found.failures


async def test_inodes_that_are_refused_are_a_failure(pods: Pods) -> None:
    """A right that is lost between the two commands is told."""
    pods.answers["-i"] = 403

    found = await measure(pods)

    assert ({}, [("shop/db-0", Fault.FORBIDDEN)]) == (found.samples, faults(found))


async def test_a_slow_command_is_not_waited_for(pods: Pods) -> None:
    """A Pod that hangs, as on a dead NFS server, holds up nobody else."""
    ended = asyncio.Event()

    async def never(_: web.WebSocketResponse) -> None:
        await ended.wait()

    pods.answers["-k"] = never
    clock = FakeClock()
    source = ExecSource(ExecSettings(), Access(pods.url, Anonymous()), clock)
    asking = asyncio.ensure_future(source.measure([subject(0)]))
    await until(lambda: pods.asked)
    await clock.advance(10)
    found = await asking
    ended.set()
    await source.close()

    assert [("shop/db-0", Fault.TIMED_OUT)] == faults(found)


@pytest.mark.parametrize("changes", [{"container": ""}, {"mount_path": ""}, {"mount_path": "-h"}])
async def test_a_claim_that_is_mounted_nowhere_is_not_asked(
    pods: Pods, changes: dict[str, str]
) -> None:
    """Nor a path that would be an option."""
    found = await measure(pods, subject(0, **changes))

    assert ({}, (), []) == (found.samples, found.failures, pods.asked)


async def test_names_cannot_leave_their_place(pods: Pods) -> None:
    """Whatever a name or a path holds, it stays one part of the address."""
    odd = subject(0, pod="../x?y", container="a&b", mount_path="/c&command=d e")

    await measure(pods, odd)

    [asked] = pods.asked
    assert ("../x?y", "a&b") == (asked.match_info["pod"], asked.query["container"])
    assert ["df", "-P", "-k", "/c&command=d e"] == asked.query.getall("command")


async def test_credentials_are_sent_and_renewed(pods: Pods, tmp_path: Path) -> None:
    """A 401 makes the token be read again, for the next pass."""
    token = tmp_path / "token"
    token.write_text("first")
    credentials = TokenFile(token, FakeClock())
    pods.answers["-k"] = 401
    await measure(pods, credentials=credentials)
    token.write_text("second")
    await measure(pods, credentials=credentials)
    await measure(pods, credentials=credentials)

    sent = [each.headers["Authorization"] for each in pods.asked]
    assert ["Bearer first", "Bearer first", "Bearer second"] == sent


async def test_a_missing_token_is_told_once(pods: Pods, tmp_path: Path) -> None:
    """Nothing is asked without credentials."""
    found = await measure(
        pods, subject(0), subject(1), credentials=TokenFile(tmp_path / "none", FakeClock())
    )

    assert ([("pods", Fault.NO_CREDENTIALS)], []) == (faults(found), pods.asked)
