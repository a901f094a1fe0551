"""The Prometheus source against a server on loopback that is away, wrong, partial or doubled."""

import asyncio
import base64
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from yarl import URL

from rso.app.usage.prometheus import (
    PrometheusSettings,
    PrometheusSource,
    header,
    matcher,
    server_url,
)
from rso.app.usage.source import Fault, Measured, Subject
from tests.kube.certificates import Authority
from tests.kube.clock import FakeClock, until
from tests.support.prometheuses import METRICS, PREFIX, Prometheus
from tests.support.usage import GIB, TAKEN_AT, sample, subject

KEY = ("shop", "data-db-0")
NOW = TAKEN_AT.timestamp()
AMOUNTS = {"capacity_bytes": 10 * GIB, "available_bytes": 3 * GIB, "used_bytes": 7 * GIB}
INODES = {"inodes": 1000, "inodes_used": 10}


@pytest.fixture
async def server() -> AsyncIterator[Prometheus]:
    """Yield a Prometheus that knows data-db-0."""
    made = Prometheus()
    made.scrape(NOW, {**AMOUNTS, **INODES})
    async with made.serve():
        yield made


async def measure(server: Prometheus, *subjects: Subject, **settings: object) -> Measured:
    """Return what a new source finds; without subjects, of data-db-0."""
    chosen = PrometheusSettings(url=URL(server.url))
    source = PrometheusSource(replace(chosen, **settings), FakeClock())  # type: ignore[arg-type]  # a test passes what fits
    try:
        return await source.measure(subjects or [subject(0)])
    finally:
        await source.close()


def faults(found: Measured) -> list[tuple[str, Fault]]:
    """Return place and fault of each failure."""
    return [(each.place.removeprefix(PREFIX), each.fault) for each in found.failures]


async def test_one_query_for_each_metric(server: Prometheus) -> None:
    """Five POSTs for any number of claims; points are asked for, since only they have a time."""
    found = await measure(server, subject(0), subject(1, namespace="other"), matchers=('a!="b"',))

    assert ({KEY: sample(0)}, ()) == (found.samples, found.failures)
    conditions = '{namespace=~"other|shop",a!="b"}[300s]'
    assert [("POST", "/api/v1/query", f"{PREFIX}{metric}{conditions}") for metric in METRICS] == [
        (each.method, each.path, each.query) for each in server.asked
    ]


async def test_many_namespaces_are_not_listed(server: Prometheus) -> None:
    """A query stays short, however many sets there are."""
    found = await measure(server, *(subject(0, namespace=f"shop-{n}") for n in range(60)))

    assert {} == found.samples
    assert f"{PREFIX}capacity_bytes{{}}[300s]" == server.asked[0].query


async def test_an_address_may_have_a_path_and_a_query(server: Prometheus) -> None:
    """Tenants and options of a server behind a path stay in its address."""
    await measure(server, url=URL(server.url + "/prometheus?dedup=true"))

    assert "/prometheus/api/v1/query?dedup=true" == server.asked[0].path


async def test_no_header_but_what_was_asked_for(server: Prometheus) -> None:
    """Without credentials none are sent; extra headers are, to each query."""
    await measure(server, headers=(("X-Scope-OrgID", "team"),))

    assert {"team"} == {each.headers["X-Scope-OrgID"] for each in server.asked}
    assert not any("Authorization" in each.headers for each in server.asked)


async def test_a_token_is_read_anew_for_each_pass(server: Prometheus, tmp_path: Path) -> None:
    """A token that somebody replaces is used from the next pass on."""
    token = tmp_path / "token"
    for text in ("first\n", "second\n"):
        token.write_text(text)
        await measure(server, token_file=token)

    sent = [each.headers["Authorization"] for each in server.asked]
    assert ["Bearer first"] * 5 + ["Bearer second"] * 5 == sent


async def test_a_user_and_a_password(server: Prometheus, tmp_path: Path) -> None:
    """Basic authentication, the password from a file."""
    password = tmp_path / "password"
    password.write_text("pä:ss\n")
    await measure(server, user="rso", password_file=password)

    expected = "Basic " + base64.b64encode("rso:pä:ss".encode()).decode()
    assert {expected} == {each.headers["Authorization"] for each in server.asked}


@pytest.mark.parametrize("text", [None, "", "two\nlines", "\x00"])
async def test_a_secret_that_cannot_be_read_is_told(
    server: Prometheus, tmp_path: Path, text: str | None
) -> None:
    """Without it nothing is asked."""
    token = tmp_path / "token"
    if text is not None:
        token.write_text(text)

    found = await measure(server, token_file=token)

    assert ([("queries", Fault.NO_CREDENTIALS)], []) == (faults(found), server.asked)
    assert str(token) in found.failures[0].sentence


async def test_a_file_names_the_authority(tmp_path: Path) -> None:
    """TLS is verified, by the machine's authorities or by a file."""
    authority = Authority(tmp_path)
    server = Prometheus()
    server.scrape(NOW, {**AMOUNTS, **INODES})
    async with server.serve(authority.server_context()):
        good = await measure(server, ca_file=authority.file)
        bad = await measure(server)

    assert {KEY: sample(0)} == good.samples
    assert ({}, [("capacity_bytes", Fault.UNTRUSTED)]) == (bad.samples, faults(bad))


def _said(status: int, body: bytes) -> Callable[[], web.Response]:
    return lambda: web.Response(status=status, body=body)


BAD = [
    pytest.param(_said(401, b""), Fault.UNAUTHORIZED, id="401"),
    pytest.param(_said(403, b""), Fault.FORBIDDEN, id="403"),
    pytest.param(_said(503, b'{"status":"error"}'), Fault.REFUSED, id="503"),
    pytest.param(_said(302, b""), Fault.REFUSED, id="a redirect"),
    pytest.param(_said(200, b"<html>"), Fault.MALFORMED, id="not JSON"),
    pytest.param(
        _said(200, b'{"data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]}]}}'),
        Fault.MALFORMED,
        id="a vector",
    ),
    pytest.param(_said(200, b" " * 3_000_000), Fault.TOO_LARGE, id="too large"),
]


@pytest.mark.parametrize(("make", "fault"), BAD)
async def test_an_amount_that_cannot_be_had_ends_the_pass(
    server: Prometheus, make: Callable[[], web.Response], fault: Fault
) -> None:
    """No sample without all three amounts; the query is named and no other is made."""

    async def answer(_: web.Request) -> web.Response:
        return make()

    server.answers["available_bytes"] = answer
    found = await measure(server, most_bytes=2**20)

    assert ({}, [("available_bytes", fault)]) == (found.samples, faults(found))
    assert 2 == len(server.asked)


@pytest.mark.parametrize(("make", "fault"), BAD)
async def test_inodes_that_cannot_be_had_are_unknown(
    server: Prometheus, make: Callable[[], web.Response], fault: Fault
) -> None:
    """The amounts still make a sample; the query is named."""

    async def answer(_: web.Request) -> web.Response:
        return make()

    server.answers["inodes"] = answer
    found = await measure(server, most_bytes=2**20)

    assert {KEY: sample(0, inodes=None, inodes_used=None)} == found.samples
    assert [("inodes", fault)] == faults(found)


async def test_the_servers_words_are_told(server: Prometheus) -> None:
    """What it says of a query is in the sentence."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"status": "error", "error": "parse error"}, status=400)

    server.answers["capacity_bytes"] = answer
    [failure] = (await measure(server)).failures

    assert 'answered 400: {"status": "error", "error": "parse error"}' == failure.sentence


async def test_a_slow_answer_is_not_waited_for(server: Prometheus) -> None:
    """Each query has its time."""
    ended = asyncio.Event()

    async def never(_: web.Request) -> web.Response:
        await ended.wait()
        return web.Response()

    server.answers["capacity_bytes"] = never
    clock = FakeClock()
    source = PrometheusSource(PrometheusSettings(url=URL(server.url)), clock)
    asking = asyncio.ensure_future(source.measure([subject(0)]))
    await until(lambda: server.asked)
    await clock.advance(30)
    found = await asking
    ended.set()
    await source.close()

    assert [("capacity_bytes", Fault.TIMED_OUT)] == faults(found)


async def test_warnings_are_told_and_the_rest_is_taken(server: Prometheus) -> None:
    """A partial answer says so itself; what it has is as good as ever."""
    server.extra = {"warnings": ["store a is away", "store b is away"]}
    found = await measure(server)

    assert {KEY: sample(0)} == found.samples
    assert [(metric, Fault.PARTIAL) for metric in METRICS] == faults(found)
    assert "2 warnings, such as: store a is away" == found.failures[0].sentence


async def test_odd_values_are_passed_on() -> None:
    """NaN is the reader's to distrust; text that is no number is no point."""
    server = Prometheus()
    server.scrape(NOW, {**AMOUNTS, "used_bytes": "NaN"})
    server.scrape(NOW, {**AMOUNTS, "used_bytes": "much"}, "data-db-1")
    async with server.serve():
        found = await measure(server, subject(0), subject(1))

    assert [KEY] == list(found.samples)
    assert math.isnan(found.samples[KEY].used_bytes)


async def test_the_newest_whole_scrape_counts() -> None:
    """A scrape of which one metric is not there yet is left for the next pass."""
    server = Prometheus()
    server.scrape(NOW, {**AMOUNTS, **INODES})
    server.scrape(NOW + 15, {"capacity_bytes": 10 * GIB, "available_bytes": GIB})
    async with server.serve():
        found = await measure(server)

    assert ({KEY: sample(0)}, ()) == (found.samples, found.failures)


async def test_of_two_series_the_newest_counts() -> None:
    """A claim on two nodes, or scraped twice, has the newest sample."""
    server = Prometheus()
    server.scrape(NOW, {**AMOUNTS, **INODES})
    server.scrape(NOW - 7, {**AMOUNTS, **INODES, "used_bytes": 1})
    async with server.serve():
        found = await measure(server)

    assert ({KEY: sample(0)}, ()) == (found.samples, found.failures)


@pytest.mark.parametrize(
    ("capacity", "cluster"),
    [
        pytest.param(20 * GIB, "prod", id="another size"),
        pytest.param(10 * GIB, "test", id="another cluster"),
    ],
)
async def test_series_that_contradict_each_other_are_not_believed(
    capacity: int, cluster: str
) -> None:
    """Two file systems under one name: no sample, and a failure that names the claim."""
    server = Prometheus()
    server.scrape(NOW, AMOUNTS, cluster="prod")
    server.scrape(NOW, AMOUNTS, "data-db-1", cluster="prod")
    server.scrape(NOW - 7, {**AMOUNTS, "capacity_bytes": capacity}, cluster=cluster)
    async with server.serve():
        found = await measure(server, subject(0), subject(1))

    assert [("shop", "data-db-1")] == list(found.samples)
    assert [("queries", Fault.AMBIGUOUS)] == faults(found)
    assert "such as shop/data-db-0" in found.failures[0].sentence


async def test_two_values_of_one_moment_are_not_believed() -> None:
    """Nobody can tell which is right."""
    server = Prometheus()
    server.scrape(NOW, AMOUNTS)
    server.scrape(NOW, {**AMOUNTS, "used_bytes": 1})
    async with server.serve():
        found = await measure(server)

    assert ({}, [("queries", Fault.AMBIGUOUS)]) == (found.samples, faults(found))


async def test_points_of_an_older_claim_are_not_this_ones() -> None:
    """A claim that was deleted and made again has no sample before its first scrape."""
    server = Prometheus()
    server.scrape(NOW, {**AMOUNTS, "capacity_bytes": 5 * GIB})
    async with server.serve():
        early = await measure(server, subject(0, claim_created_at=NOW + 1))
        server.scrape(NOW + 15, {**AMOUNTS, **INODES})
        later = await measure(server, subject(0, claim_created_at=NOW + 1))

    assert ({}, ()) == (early.samples, early.failures)
    assert ([10 * GIB], ()) == (
        [each.capacity_bytes for each in later.samples.values()],
        later.failures,
    )


async def test_btrfs_has_no_inodes() -> None:
    """0 means that there is nothing to count."""
    server = Prometheus()
    server.scrape(NOW, {**AMOUNTS, "inodes": 0, "inodes_used": 0})
    async with server.serve():
        found = await measure(server)

    assert {KEY: sample(0, inodes=None, inodes_used=None)} == found.samples


@pytest.mark.parametrize(
    "changes",
    [
        {"token_file": Path("a"), "user": "b", "password_file": Path("c")},
        {"user": "b"},
        {"password_file": Path("c")},
    ],
)
def test_credentials_that_do_not_belong_together(changes: dict[str, object]) -> None:
    """A token or a user with a password; anything else is a mistake."""
    with pytest.raises(ValueError, match=r"not both|belong together"):
        PrometheusSettings(url=URL("http://a"), **changes)  # type: ignore[arg-type]  # mixed


@pytest.mark.parametrize(
    "text", ["", "prometheus:9090", "ftp://a", "http://", "http://u:p@a", "http://[", "/x"]
)
def test_what_is_no_address(text: str) -> None:
    """A scheme and a host must be there, and no credentials, which would be seen."""
    with pytest.raises(ValueError, match="is no address"):
        server_url(text)


def test_an_address_is_kept_as_it_is() -> None:
    """Path and query stay."""
    assert "https://a:9/b?c=d" == str(server_url("https://a:9/b?c=d"))


@pytest.mark.parametrize("text", ['cluster="prod"', 'a=~"x|y"', ' b !~ "\\"z" ', 'a!="ü"'])
def test_a_matcher_is_kept_as_it_is(text: str) -> None:
    """Prometheus' own form, without spaces around."""
    assert text.strip() == matcher(text)


@pytest.mark.parametrize("text", ["", "a", "a=b", 'a="b', 'a="b"} or vector(1', 'a="b",c="d"'])
def test_what_is_no_matcher(text: str) -> None:
    """Nothing that could end the braces of the query."""
    with pytest.raises(ValueError, match="is no matcher"):
        matcher(text)


def test_a_header_has_a_name_and_a_value() -> None:
    """Spaces around the value do not belong to it."""
    assert ("X-Scope-OrgID", "a b") == header("X-Scope-OrgID:  a b ")


@pytest.mark.parametrize("text", ["", "X", "X:", "X Y: z", "X: a\r\nY: b", "X: ü"])
def test_what_is_no_header(text: str) -> None:
    """Neither without a value nor with a second line; the value is not repeated."""
    with pytest.raises(ValueError, match="is no header") as error:
        header(text)

    assert "Y: b" not in str(error.value)
