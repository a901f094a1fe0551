"""The HTTPS server of the webhook by itself: whatever comes, an answer or a closed connection."""

import asyncio
import base64
import json
import logging
import ssl
from collections.abc import AsyncIterator
from io import BytesIO

import aiohttp
import pytest

from rso.app.connections import REQUEST_SECONDS
from rso.app.probes import CannotListen
from rso.app.review_server import MOST_BODIES_BYTES, MOST_BODY_BYTES, ReviewServer
from tests.support.review_servers import HOST, NAMES, RULES, Running, review_of, review_server
from tests.support.reviewed import reviewed_set

BIGGER = review_of(reviewed_set({"data": "20Gi"}), reviewed_set())
JSON = {"Content-Type": "application/json"}


async def send(running: Running, data: bytes, **headers: str) -> tuple[int, bytes]:
    """POST bytes as JSON; return status and body."""
    async with (
        running.client() as client,
        client.post(
            running.url, data=BytesIO(data), headers={**JSON, **headers}, server_hostname=NAMES[0]
        ) as answer,
    ):
        return answer.status, await answer.read()


async def test_an_answer_copies_the_uid_and_carries_the_patch() -> None:
    """The form of the answer is the API's: uid, allowed, warnings, and patch with its type."""
    async with review_server() as running:
        status, body = await send(running, json.dumps(BIGGER).encode())

    answer = json.loads(body)
    assert (200, "admission.k8s.io/v1", "AdmissionReview") == (
        status,
        answer["apiVersion"],
        answer["kind"],
    )
    response = answer["response"]
    assert ("705ab4f5", True, "JSONPatch") == (
        response["uid"],
        response["allowed"],
        response["patchType"],
    )
    assert "/spec/volumeClaimTemplates/0" in base64.b64decode(response["patch"]).decode()
    assert 1 == len(response["warnings"])


async def test_a_denial_has_a_code_a_reason_and_its_words() -> None:
    """400 BadRequest, without a patch."""
    denied = review_of(reviewed_set({"data": "5Gi"}), reviewed_set())
    async with review_server() as running:
        _, body = await send(running, json.dumps(denied).encode())

    response = json.loads(body)["response"]
    assert not response["allowed"]
    assert (400, "BadRequest") == (response["status"]["code"], response["status"]["reason"])
    assert "volumes never shrink" in response["status"]["message"]
    assert "patch" not in response


DEEP = b'{"apiVersion": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        pytest.param(b"", {}, 400, id="nothing"),
        pytest.param(b"{", {}, 400, id="cut off"),
        pytest.param(b"\xff\xfe", {}, 400, id="no text"),
        pytest.param(b'{"kind": NaN}', {}, 400, id="not a number"),
        pytest.param(DEEP, {}, 400, id="deep nesting"),
        pytest.param(b"[]", {}, 400, id="another form"),
        pytest.param(json.dumps({**BIGGER, "kind": "Pod"}).encode(), {}, 400, id="another kind"),
        pytest.param(b"{}", {"Content-Type": "text/plain"}, 415, id="another type"),
        pytest.param(b"{}", {"Content-Encoding": "gzip"}, 415, id="packed"),
        pytest.param(b" " * (MOST_BODY_BYTES + 1), {}, 413, id="too large"),
    ],
)
async def test_what_is_no_review_is_refused(
    body: bytes, headers: dict[str, str], expected: int
) -> None:
    """A 4xx and a counter, never a 5xx; and the server answers on."""
    async with review_server() as running:
        status, _ = await send(running, body, **headers)
        good, _ = await send(running, json.dumps(BIGGER).encode())
        rendered = running.metrics.render().decode()

    assert (expected, 200) == (status, good)
    assert f'rso_review_refusals_total{{code="{expected}"}} 1.0' in rendered


async def test_duplicate_keys_are_answered() -> None:
    """The last one counts, as for Kubernetes' own decoder; nothing breaks."""
    body = json.dumps(BIGGER).replace('"uid":', '"uid": "first", "uid":', 1).encode()
    async with review_server() as running:
        status, answer = await send(running, body)

    assert (200, "705ab4f5") == (status, json.loads(answer)["response"]["uid"])


async def test_a_body_without_a_length_is_bounded_too() -> None:
    """A body in chunks is cut off at the limit."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(MOST_BODY_BYTES // 65536 + 2):
            yield b" " * 65536

    async with review_server() as running, running.client() as client:
        try:
            async with client.post(
                running.url, data=chunks(), headers=JSON, server_hostname=NAMES[0]
            ) as answer:
                status = answer.status
        except aiohttp.ClientError:  # closed before all was sent: as good
            status = 413

    assert 413 == status


async def test_all_bodies_together_are_bounded() -> None:
    """Whoever would need more room than there is gets 429; others are answered, and later all."""
    half = MOST_BODY_BYTES // 2
    head = (
        "POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {MOST_BODY_BYTES}\r\n\r\n"
    ).encode()
    fitting = MOST_BODIES_BYTES // half
    async with review_server() as running:
        context = running.context()
        opened = [
            await asyncio.open_connection(HOST, running.port, ssl=context, server_hostname=NAMES[0])
            for _ in range(fitting + 1)
        ]
        for _, writer in opened:
            writer.write(head + b" " * half)
        lines = [asyncio.ensure_future(reader.readline()) for reader, _ in opened]
        told, _ = await asyncio.wait(lines, return_when=asyncio.FIRST_COMPLETED)
        good, _ = await send(running, json.dumps(BIGGER).encode())
        for _, writer in opened:
            writer.close()
        await asyncio.gather(*lines, return_exceptions=True)
        large, _ = await send(running, b" " * MOST_BODY_BYTES)

    assert [b"HTTP/1.1 429 Too Many Requests\r\n"] == [each.result() for each in told]
    assert (200, 400) == (good, large)


@pytest.mark.parametrize(("method", "path", "expected"), [("GET", "", 405), ("POST", "/x", 404)])
async def test_only_reviews_are_served(method: str, path: str, expected: int) -> None:
    """Other paths and methods are told so."""
    async with review_server() as running, running.client() as client:
        url = running.url + path
        async with client.request(method, url, headers=JSON, server_hostname=NAMES[0]) as answer:
            assert expected == answer.status


async def test_many_connections_at_once_are_answered() -> None:
    """200 clients, each with a connection of its own."""
    body = json.dumps(BIGGER).encode()
    async with review_server() as running:
        answers = await asyncio.gather(*(send(running, body) for _ in range(200)))

    assert {200} == {status for status, _ in answers}


async def test_a_connection_that_says_nothing_is_closed() -> None:
    """Silent, half a header, half a body, no handshake: each is ended in its time."""
    async with review_server() as running:
        context = running.context()
        opened = [
            await asyncio.open_connection(HOST, running.port, ssl=context, server_hostname=NAMES[0])
            for _ in range(3)
        ]
        raw = await asyncio.open_connection(HOST, running.port)
        opened[1][1].write(b"POST /mutate HTTP/1.1\r\nHost: x\r\n")
        head = b"POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        opened[2][1].write(head + b"Content-Length: 100\r\n\r\n{")
        raw[1].write(b"not a handshake at all\r\n\r\n")
        mute = await asyncio.open_connection(HOST, running.port)

        async with asyncio.timeout(REQUEST_SECONDS + 10):
            rests = [await _rest(reader) for reader, _ in (*opened, raw, mute)]
        for _, writer in (*opened, raw, mute):
            writer.close()
        good, _ = await send(running, json.dumps(BIGGER).encode())

    assert 200 == good
    assert all(b" 200 " not in rest for rest in rests)


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except (OSError, ssl.SSLError):
        return b""


async def test_old_protocols_are_refused() -> None:
    """A client that speaks nothing newer than TLS 1.1 is turned away."""
    async with review_server() as running:
        context = running.context()
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            context.minimum_version = ssl.TLSVersion.TLSv1
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("DEFAULT:@SECLEVEL=0")

        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection(HOST, running.port, ssl=context, server_hostname=NAMES[0])


async def test_nothing_of_an_object_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """One line for a changed request, with the set's name and no part of the set."""
    caplog.set_level(logging.INFO, "rso")
    new = reviewed_set({"data": "20Gi"})
    new["spec"]["template"]["spec"]["containers"][0]["args"] = ["hunter2"]
    async with review_server() as running:
        await send(running, json.dumps(review_of(new, reviewed_set())).encode())

    lines = [each for each in caplog.records if each.name.startswith("rso")]
    assert ["request is changed"] == [each.getMessage() for each in lines]
    assert "hunter2" not in caplog.text


async def test_a_taken_address_is_named() -> None:
    """An address that is not free ends the start with its name."""
    async with review_server() as running:
        port = running.port
        other = ReviewServer((HOST, port), running.served.context, RULES, running.metrics)

        with pytest.raises(CannotListen, match=f"cannot listen on {HOST}:{port}: "):
            await other.start()
