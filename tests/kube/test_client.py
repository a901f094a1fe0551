"""What is sent, what is tried again, and what never is."""

import json

import pytest

from rso.kube.client import Client
from rso.kube.errors import (
    AlreadyExists,
    Conflict,
    MayNotWrite,
    NotFound,
    ServerError,
    TooManyRequests,
    Unreachable,
)
from rso.kube.kinds import raw
from rso.kube.transport import Request, Resource, Response
from tests.kube.clock import FakeClock, jumping
from tests.kube.things import KIND, THINGS, Answer, Scripted, Thing, answer, client, status, thing

LOST = Unreachable("cut", sent=True)
BUSY = status(429, "TooManyRequests")


async def test_get() -> None:
    """An object is read by its path and decoded."""
    transport = Scripted(answer(thing("a")))
    found = await client(transport).get(KIND, "default", "a")

    assert found.metadata.uid == "uid-of-a"
    assert transport.requests[0].target() == "/apis/example.org/v1/namespaces/default/things/a"


@pytest.mark.parametrize(
    ("resource", "where", "name", "expected"),
    [
        (Resource("", "v1", "pods"), "n", "a", "/api/v1/namespaces/n/pods/a"),
        (Resource("", "v1", "pods"), None, None, "/api/v1/pods"),
        (Resource("apps", "v1", "sets"), "n", None, "/apis/apps/v1/namespaces/n/sets"),
        (Resource("", "v1", "nodes", namespaced=False), "n", "a/b", "/api/v1/nodes/a%2Fb"),
    ],
)
def test_paths(resource: Resource, where: str | None, name: str | None, expected: str) -> None:
    """Paths are those of the Kubernetes API, with names encoded."""
    assert resource.path(where, name) == expected


@pytest.mark.parametrize("failure", [BUSY, status(503), LOST], ids=["429", "503", "lost"])
async def test_reads_are_repeated(failure: Answer) -> None:
    """A read is tried again after a busy server, a failed one and a lost answer."""
    clock = FakeClock()
    transport = Scripted(failure, failure, answer(thing("a")))
    await jumping(clock, client(transport, clock).get(KIND, "default", "a"))

    assert len(transport.requests) == 3
    assert 1.5 <= clock.monotonic() <= 2.25


async def test_reads_end() -> None:
    """A read gives up after five attempts, with the last error."""
    clock = FakeClock()
    transport = Scripted(*[status(500)] * 9)
    with pytest.raises(ServerError):
        await jumping(clock, client(transport, clock).get(KIND, "default", "a"))

    assert len(transport.requests) == 5


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        pytest.param({"Retry-After": "9"}, 9, 9, id="seconds"),
        pytest.param(
            {
                "Retry-After": "Tue, 24 Nov 2026 12:00:09 GMT",
                "Date": "Tue, 24 Nov 2026 12:00:00 GMT",
            },
            9,
            9,
            id="a date",
        ),
        pytest.param({"Retry-After": "0"}, 0.5, 0.75, id="never at once"),
        pytest.param({"Retry-After": "99999"}, 60, 60, id="never longer than a minute"),
    ],
)
async def test_retry_after(headers: dict[str, str], least: float, most: float) -> None:
    """A read waits as long as the server asks, within reason."""
    clock = FakeClock()
    transport = Scripted(Response(429, headers, b""), answer(thing("a")))
    await jumping(clock, client(transport, clock).get(KIND, "default", "a"))

    assert least <= clock.monotonic() <= most


async def test_answers_are_no_failures() -> None:
    """A read that the server answered with no is not repeated."""
    transport = Scripted(status(404, "NotFound"))
    with pytest.raises(NotFound):
        await client(transport).get(KIND, "default", "a")


@pytest.mark.parametrize("failure", [LOST, status(500), status(504)], ids=["lost", "500", "504"])
@pytest.mark.parametrize("verb", ["create", "patch", "replace", "delete"])
async def test_writes_are_never_repeated(verb: str, failure: Answer) -> None:
    """A write whose outcome is unknown is sent once."""
    transport = Scripted(failure, failure)
    with pytest.raises((Unreachable, ServerError)):
        await write(client(transport), verb)

    assert len(transport.requests) == 1


@pytest.mark.parametrize("verb", ["create", "patch", "replace", "delete"])
async def test_refused_writes_are_repeated(verb: str) -> None:
    """A write that the server had no time for was not executed and is tried again."""
    clock = FakeClock()
    transport = Scripted(BUSY, answer(thing("a")))
    await jumping(clock, write(client(transport, clock), verb))

    assert transport.requests[0] == transport.requests[1]


@pytest.mark.parametrize("verb", ["create", "patch", "replace"])
async def test_writes_name_their_manager(verb: str) -> None:
    """Every write that stores fields names its field manager."""
    transport = Scripted(answer(thing("a")))
    await write(client(transport), verb)

    assert transport.requests[0].query == (("fieldManager", "tester"),)
    assert transport.requests[0].changes


@pytest.mark.parametrize("verb", ["create", "patch", "replace", "delete"])
async def test_may_not_write(verb: str) -> None:
    """Nothing is sent by who does not lead."""
    transport = Scripted()
    with pytest.raises(MayNotWrite):
        await write(_guarded(transport, FakeClock(), leads=False), verb)

    assert transport.requests == []


async def test_asked_before_each_attempt() -> None:
    """Leadership is asked again before a repeated write."""
    clock = FakeClock()
    leads = [True, False]
    transport = Scripted(BUSY, answer(thing("a")))
    guarded = Client(transport, clock=clock, field_manager="tester", may_write=lambda: leads.pop(0))
    with pytest.raises(MayNotWrite):
        await jumping(clock, guarded.patch(KIND, "default", "a", {}))

    assert len(transport.requests) == 1


async def test_dry_runs_may_pass() -> None:
    """A dry run changes nothing, says so, and needs no leadership."""
    transport = Scripted(answer(thing("a")), answer(thing("a")))
    guarded = _guarded(transport, FakeClock(), leads=False)
    await guarded.create(KIND, "default", thing("a"), dry_run=True)
    await guarded.patch(KIND, "default", "a", {}, dry_run=True)

    for request in transport.requests:
        assert ("dryRun", "All") in request.query
        assert not request.changes


async def test_create() -> None:
    """A create goes to the collection; its name is known to who watches requests."""
    transport = Scripted(status(409, "AlreadyExists"))
    with pytest.raises(AlreadyExists):
        await client(transport).create(KIND, "default", thing("a"))

    request = transport.requests[0]
    assert request.name == "a"
    assert request.target().startswith("/apis/example.org/v1/namespaces/default/things?")


async def test_patch_types() -> None:
    """A patch is a merge patch unless said otherwise; bytes are sent as they are."""
    transport = Scripted(answer(thing("a")), answer(thing("a")))
    await client(transport).patch(KIND, "default", "a", {"size": 2})
    await client(transport).patch(
        KIND, "default", "a", b"[]", content_type="application/json-patch+json"
    )

    assert [(request.content_type, request.body) for request in transport.requests] == [
        ("application/merge-patch+json", b'{"size":2}'),
        ("application/json-patch+json", b"[]"),
    ]


async def test_delete() -> None:
    """A delete names the uid and, if asked, the version; a conflict is told."""
    transport = Scripted(status(409, "Conflict"))
    with pytest.raises(Conflict):
        await client(transport).delete(
            THINGS, "default", "a", uid="u", resource_version="7", propagation="Orphan"
        )

    assert json.loads(transport.requests[0].body or b"") == {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "propagationPolicy": "Orphan",
        "preconditions": {"uid": "u", "resourceVersion": "7"},
    }


async def test_redirect_is_no_success() -> None:
    """An answer outside of 200 to 299 is an error."""
    transport = Scripted(Response(302, {}, b""))
    with pytest.raises(Exception, match="302"):
        await client(transport).get(KIND, "default", "a")


async def test_raw() -> None:
    """A raw kind gives the whole object."""
    found = await client(Scripted(answer(thing("a")))).get(raw(THINGS), "default", "a")

    assert found == thing("a")


async def test_too_many_requests_end() -> None:
    """A server that never has time is told as such."""
    clock = FakeClock()
    with pytest.raises(TooManyRequests):
        await jumping(clock, client(Scripted(*[BUSY] * 9), clock).get(KIND, "default", "a"))


async def write(used: Client, verb: str) -> Thing | None:
    """Make one write."""
    if verb == "create":
        return await used.create(KIND, "default", thing("a"))
    if verb == "patch":
        return await used.patch(KIND, "default", "a", {"size": 2})
    if verb == "replace":
        return await used.replace(KIND, "default", "a", thing("a"))
    await used.delete(THINGS, "default", "a", uid="uid-of-a")
    return None


def _guarded(transport: Scripted, clock: FakeClock, *, leads: bool) -> Client:
    return Client(transport, clock=clock, field_manager="tester", may_write=lambda: leads)


def test_request_is_a_value() -> None:
    """Requests can be compared and kept."""
    assert Request("get", THINGS, "n", "a") == Request("get", THINGS, "n", "a")
