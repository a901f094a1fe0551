"""The kubelet source against kubelets on loopback that are dead, slow, broken or lying."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from rso.app.usage.kubelet import KubeletSettings, KubeletSource
from rso.app.usage.source import Fault, Measured, Subject
from rso.kube.auth import Anonymous, TokenFile, tls
from tests.kube.certificates import Authority
from tests.kube.clock import FakeClock, until
from tests.support.kubelets import Kubelets
from tests.support.usage import GIB, pod, sample, subject, summary, volume

ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
BAD, GOOD = ADDRESSES[0], ADDRESSES[1]
KEYS = [("shop", f"data-db-{number}") for number in range(3)]


class Scene:
    """Three nodes and who asks them."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority(directory)
        self.kubelets = Kubelets()
        self.clock = FakeClock()
        self.token = directory / "token"
        self.token.write_text("secret")
        for number, address in enumerate(ADDRESSES):
            self.kubelets.say(address, summary(number))

    def source(self, **settings: object) -> KubeletSource:
        """Return a source that trusts the authority."""
        chosen = KubeletSettings(port=self.kubelets.port, **settings)  # type: ignore[arg-type]  # a test passes what fits
        credentials = TokenFile(self.token, self.clock, ca_file=self.authority.file)
        return KubeletSource(chosen, credentials, self.clock)

    async def measure(self, *subjects: Subject, **settings: object) -> Measured:
        """Return what a new source finds; without subjects, of all three."""
        source = self.source(**settings)
        try:
            return await source.measure(subjects or [subject(number) for number in range(3)])
        finally:
            await source.close()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """Yield three good nodes."""
    made = Scene(tmp_path)
    context = made.authority.server_context(ADDRESSES)
    async with made.kubelets.serve(dict.fromkeys(ADDRESSES, context)):
        yield made


def check_only_the_first_is_hidden(found: Measured, fault: Fault) -> str:
    """Check that node-0 is named for this fault and the others answered; return the sentence."""
    [failure] = found.failures
    assert ("kubelet", "node-0", fault) == (failure.source, failure.place, failure.fault)
    assert {KEYS[1]: sample(1), KEYS[2]: sample(2)} == found.samples
    assert len(failure.sentence) < 400
    assert failure.sentence.isprintable()
    return failure.sentence


async def test_each_node_is_asked_once_with_the_token(scene: Scene) -> None:
    """One GET of /stats/summary for each node, whatever it carries; every claim has its sample."""
    scene.kubelets.say(BAD, summary(0, pod(0), pod(7)))

    found = await scene.measure(*map(subject, range(3)), subject(7, node="node-0", host_ip=BAD))

    assert {**{key: sample(n) for n, key in enumerate(KEYS)}, ("shop", "data-db-7"): sample(7)} == (
        found.samples
    )
    assert () == found.failures
    asked = [(each.method, each.path_qs) for each in scene.kubelets.seen]
    assert [("GET", "/stats/summary")] * 3 == asked
    assert {"Bearer secret"} == {each.headers["Authorization"] for each in scene.kubelets.seen}


def _cut() -> web.StreamResponse:
    answer = web.Response(body=b"{")
    answer.content_length = 100
    return answer


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        pytest.param(lambda: web.Response(status=401), Fault.UNAUTHORIZED, id="401"),
        pytest.param(lambda: web.Response(status=403, text="no"), Fault.FORBIDDEN, id="403"),
        pytest.param(lambda: web.Response(status=500), Fault.REFUSED, id="500"),
        pytest.param(lambda: web.Response(status=204), Fault.REFUSED, id="nothing"),
        pytest.param(
            lambda: web.Response(status=302, headers={"Location": "/other"}),
            Fault.REFUSED,
            id="a redirect",
        ),
        pytest.param(lambda: web.Response(body=b"\xff{"), Fault.MALFORMED, id="no JSON"),
        pytest.param(
            lambda: web.Response(body=b"x", headers={"Content-Encoding": "gzip"}),
            Fault.MALFORMED,
            id="packed",
        ),
        pytest.param(lambda: web.json_response(summary(5)), Fault.FOREIGN, id="another node"),
        pytest.param(
            lambda: web.json_response(summary(0, pod(0), pod(1, volume(1, usedBytes=10 * GIB)))),
            Fault.FOREIGN,
            id="another node's Pod",
        ),
    ],
)
async def test_a_bad_answer_hides_only_its_node(
    scene: Scene, make: Callable[[], web.StreamResponse], fault: Fault
) -> None:
    """The node is named with a word; all others count."""
    scene.kubelets.answer(BAD, make)

    check_only_the_first_is_hidden(await scene.measure(), fault)


async def test_a_redirect_gets_no_token(scene: Scene) -> None:
    """Nobody else is asked because a node says so."""
    scene.kubelets.answer(
        BAD, lambda: web.Response(status=302, headers={"Location": f"https://{GOOD}/x"})
    )

    await scene.measure()

    assert {"/stats/summary"} == {each.path for each in scene.kubelets.seen}


async def test_a_refusal_tells_its_first_words_on_one_line(scene: Scene) -> None:
    """What a stranger says is cut, and control characters are escaped."""
    words = "Forbidden (user=x, verb=get)\n\x1b[31m" + "long " * 10_000
    scene.kubelets.answer(BAD, lambda: web.Response(status=403, text=words))

    told = check_only_the_first_is_hidden(await scene.measure(), Fault.FORBIDDEN)

    assert told.startswith("answered 403: Forbidden (user=x, verb=get)\\n\\x1b[31mlong")


async def test_a_dead_node_hides_only_itself(scene: Scene) -> None:
    """Nothing listens there."""
    found = await scene.measure(subject(0, host_ip="127.0.0.9"), subject(1), subject(2))

    check_only_the_first_is_hidden(found, Fault.UNREACHABLE)


async def test_a_dead_node_among_fifty_hides_only_itself(tmp_path: Path) -> None:
    """Forty-nine answer, one is named."""
    scene, nodes, dead = Scene(tmp_path), range(50), 17
    addresses = {number: f"127.0.0.{number + 1}" for number in nodes if number != dead}
    for number, address in addresses.items():
        scene.kubelets.say(address, summary(number))
    context = scene.authority.server_context(list(addresses.values()))
    async with scene.kubelets.serve(dict.fromkeys(addresses.values(), context)):
        found = await scene.measure(*map(subject, nodes))

    assert [("node-17", Fault.UNREACHABLE)] == [(each.place, each.fault) for each in found.failures]
    assert {("shop", f"data-db-{number}") for number in addresses} == set(found.samples)


async def test_a_node_that_hangs_up_hides_only_itself(scene: Scene) -> None:
    """The connection is cut in the middle of the answer."""

    async def hang_up(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"{")
        assert request.transport is not None
        request.transport.abort()
        return answer

    scene.kubelets.answers[BAD] = hang_up

    check_only_the_first_is_hidden(await scene.measure(), Fault.UNREACHABLE)


@pytest.mark.parametrize("first", [b"", b"{"])
async def test_a_slow_node_is_left_when_its_time_is_up(scene: Scene, first: bytes) -> None:
    """A node that says nothing, or not all, holds up nobody else."""
    ended = asyncio.Event()

    async def never(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        if first:
            await answer.prepare(request)
            await answer.write(first)
        await ended.wait()
        return answer

    scene.kubelets.answers[BAD] = never
    asking = asyncio.ensure_future(scene.measure())
    await until(lambda: len(scene.kubelets.seen) == 3 and scene.clock.sleepers == 1)
    await scene.clock.advance(10)
    found = await asking
    ended.set()

    assert "no answer within 10 s" == check_only_the_first_is_hidden(found, Fault.TIMED_OUT)


async def test_dead_nodes_take_one_pass_only(scene: Scene) -> None:
    """All are asked within one time; who was late is asked last in the next pass, and named."""
    ended = asyncio.Event()

    async def never(_request: web.Request) -> web.StreamResponse:
        await ended.wait()
        return web.Response()

    scene.kubelets.answers |= dict.fromkeys(ADDRESSES[:2], never)
    source = scene.source(parallel=1, seconds=10.0, pass_seconds=15.0)
    subjects = [subject(number) for number in range(3)]
    first = asyncio.ensure_future(source.measure(subjects))
    for count, seconds in ((1, 10), (2, 5)):
        await until(lambda count=count: len(scene.kubelets.seen) == count and scene.clock.sleepers)  # type: ignore[misc]  # mypy knows no default of a lambda
        await scene.clock.advance(seconds)
    found = await first
    second = asyncio.ensure_future(source.measure(subjects))
    for count, seconds in ((4, 10), (5, 5)):
        await until(lambda count=count: len(scene.kubelets.seen) == count and scene.clock.sleepers)  # type: ignore[misc]  # as above
        await scene.clock.advance(seconds)
    again = await second
    ended.set()
    await source.close()

    assert {} == found.samples
    assert {
        "node-0": "no answer within 10 s",
        "node-1": "no answer within 5 s",
        "node-2": "the 15 s of one look were over before it was asked",
    } == {each.place: each.sentence for each in found.failures}
    assert {KEYS[2]: sample(2)} == again.samples
    assert {Fault.TIMED_OUT} == {each.fault for each in again.failures}
    assert {"node-0", "node-1"} == {each.place for each in again.failures}


async def test_an_endless_answer_is_cut(scene: Scene) -> None:
    """No more than the limit is held."""

    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while request.transport is not None and not request.transport.is_closing():
            await answer.write(b" " * 65536)
            await asyncio.sleep(0)  # both ends share a loop
        return answer

    scene.kubelets.answers[BAD] = endless

    found = await scene.measure(most_bytes=2**20)

    check_only_the_first_is_hidden(found, Fault.TOO_LARGE)


async def test_a_certificate_of_another_authority_is_refused(scene: Scene, tmp_path: Path) -> None:
    """The token is not sent to who cannot prove to be the node."""
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other", "other")

    found = await scene.measure(ca_file=other.file)

    assert {Fault.UNTRUSTED} == {each.fault for each in found.failures}
    assert [] == scene.kubelets.seen


async def test_a_certificate_for_another_address_is_refused(tmp_path: Path) -> None:
    """A node's own certificate does not make it another node."""
    scene = Scene(tmp_path)
    contexts = {each: scene.authority.server_context([each]) for each in ADDRESSES}
    contexts[BAD] = scene.authority.server_context([GOOD])
    async with scene.kubelets.serve(contexts):
        found = await scene.measure()

    check_only_the_first_is_hidden(found, Fault.UNTRUSTED)


async def test_insecure_believes_any_certificate(scene: Scene) -> None:
    """For kubelets that sign themselves; it must be asked for."""
    source = KubeletSource(
        KubeletSettings(port=scene.kubelets.port, insecure=True), Anonymous(), scene.clock
    )
    found = await source.measure([subject(0)])
    await source.close()

    assert ({KEYS[0]: sample(0)}, ()) == (found.samples, found.failures)


async def test_a_file_can_name_the_authority(scene: Scene) -> None:
    """Kubelets may be signed by another authority than the API server."""
    source = KubeletSource(
        KubeletSettings(port=scene.kubelets.port, ca_file=scene.authority.file),
        Anonymous(tls()),
        scene.clock,
    )
    found = await source.measure([subject(0)])
    await source.close()

    assert {KEYS[0]: sample(0)} == found.samples


async def test_credentials_that_cannot_be_read_are_told_once(scene: Scene, tmp_path: Path) -> None:
    """A missing token or authority is one failure, not one for each node."""
    without_authority = await scene.measure(ca_file=tmp_path / "none.crt")
    scene.token.unlink()
    without_token = await scene.measure()

    for found in (without_authority, without_token):
        assert ({}, [("nodes", Fault.NO_CREDENTIALS)]) == (
            found.samples,
            [(each.place, each.fault) for each in found.failures],
        )
    assert [] == scene.kubelets.seen


async def test_a_new_token_is_taken_after_a_401(scene: Scene) -> None:
    """A pass that was refused makes the next one read the token again, whatever its age."""

    async def answer(request: web.Request) -> web.StreamResponse:
        is_good = request.headers["Authorization"] == "Bearer next"
        return web.json_response(summary(0)) if is_good else web.Response(status=401)

    scene.kubelets.answers[BAD] = answer
    source = scene.source()
    first = await source.measure([subject(0)])
    scene.token.write_text("next")
    await source.measure([subject(0)])
    third = await source.measure([subject(0)])
    await source.close()

    assert [Fault.UNAUTHORIZED] == [each.fault for each in first.failures]
    assert {KEYS[0]: sample(0)} == third.samples


async def test_only_so_many_nodes_are_asked_at_a_time(scene: Scene) -> None:
    """With a limit of one, no request begins before the last has its answer."""
    under_way = 0
    most = 0

    async def counted(request: web.Request) -> web.StreamResponse:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        assert request.transport is not None
        number = ADDRESSES.index(request.transport.get_extra_info("sockname")[0])
        under_way -= 1
        return web.json_response(summary(number))

    scene.kubelets.answers = dict.fromkeys(ADDRESSES, counted)
    found = await scene.measure(parallel=1)

    assert (1, set(KEYS)) == (most, set(found.samples))


@pytest.mark.parametrize("address", ["evil.example", "127.0.0.1/../x", "127.0.0.1:80", "1"])
async def test_what_is_no_address_is_not_asked(scene: Scene, address: str) -> None:
    """A Pod's status cannot lead the token to a name or a path."""
    found = await scene.measure(subject(0, host_ip=address), subject(1), subject(2))

    check_only_the_first_is_hidden(found, Fault.MALFORMED)


async def test_a_pod_without_an_address_is_on_no_node(scene: Scene) -> None:
    """Nothing is asked for it and nothing failed."""
    found = await scene.measure(subject(0, host_ip=""))

    assert ({}, (), []) == (found.samples, found.failures, scene.kubelets.seen)


async def test_an_address_of_version_6_is_asked(tmp_path: Path) -> None:
    """Nodes may have IPv6 addresses."""
    scene = Scene(tmp_path)
    scene.kubelets.say("::1", summary(0))
    async with scene.kubelets.serve({"::1": scene.authority.server_context(["::1"])}):
        found = await scene.measure(subject(0, host_ip="::1"))

    assert {KEYS[0]: sample(0)} == found.samples
    assert [f"[::1]:{scene.kubelets.port}"] == [each.host for each in scene.kubelets.seen]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"pod_uid": "uid-of-an-older-pod"}, id="another Pod of that name"),
        pytest.param({"namespace": "other"}, id="another namespace"),
        pytest.param({"claim": "logs-db-0"}, id="another claim"),
    ],
)
async def test_uid_namespace_and_claim_must_fit(scene: Scene, changes: dict[str, str]) -> None:
    """What a node says of other Pods and claims than those asked about is no sample."""
    found = await scene.measure(subject(0, **changes))

    assert ({}, ()) == (found.samples, found.failures)


async def test_of_several_pods_the_newest_reading_counts(scene: Scene) -> None:
    """A claim that is mounted on several nodes has one sample."""
    shared = [subject(n, claim="data-db-0", claim_uid="uid-data-db-0") for n in range(3)]
    for number, address in enumerate(ADDRESSES):
        time = f"2026-11-01T12:0{(number + 1) % 3}:00Z"
        said = volume(0, time=time, usedBytes=number * GIB)
        scene.kubelets.say(address, summary(number, pod(number, said)))

    found = await scene.measure(*shared)

    assert [GIB] == [each.used_bytes for each in found.samples.values()]
