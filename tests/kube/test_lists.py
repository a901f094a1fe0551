"""Lists are complete, whatever their pages."""

from datetime import UTC, datetime

import pytest

from rso.kube.errors import Gone, Undecodable
from rso.kube.transport import Response
from tests.kube.things import KIND, Scripted, answer, client, status, thing


async def test_list_pages() -> None:
    """A list is read to its end; its date is the first page's."""
    transport = Scripted(
        page("one", date="Tue, 24 Nov 2026 12:00:00 GMT", token="more"),
        page("two", date="Tue, 24 Nov 2026 12:00:09 GMT"),
    )
    found = await client(transport).list(KIND, "default", "app=x")

    assert [item.metadata.name for item in found.items] == ["one", "two"]
    assert found.resource_version == "42"
    assert found.date == datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert [dict(request.query) for request in transport.requests] == [
        {"limit": "500", "labelSelector": "app=x"},
        {"limit": "500", "labelSelector": "app=x", "continue": "more"},
    ]


async def test_expired_continue() -> None:
    """A list whose token expired begins again and holds nothing twice."""
    transport = Scripted(page("one", token="more"), status(410, "Expired"), page("one"))
    found = await client(transport).list(KIND)

    assert [item.metadata.name for item in found.items] == ["one"]


async def test_expired_too_often() -> None:
    """A list that never ends is given up after three starts."""
    transport = Scripted(*[page("one", token="more"), status(410, "Expired")] * 4)
    with pytest.raises(Gone):
        await client(transport).list(KIND)

    assert len(transport.requests) == 6


async def test_list_skips_undecodable() -> None:
    """A list leaves out what cannot be decoded, counts it and says what it was."""
    items = [thing("a"), thing("b", size="big"), {"metadata": "odd"}]
    transport = Scripted(answer({"metadata": {"resourceVersion": "42"}, "items": items}))
    found = await client(transport).list(KIND)

    assert [item.metadata.name for item in found.items] == ["a"]
    assert found.undecodable == 2
    assert [item.uid for item in found.skipped] == ["uid-of-b", ""]


@pytest.mark.parametrize("items", [[], None], ids=["empty", "null"])
async def test_empty_list(items: object) -> None:
    """A list of nothing is a list."""
    transport = Scripted(answer({"metadata": {"resourceVersion": "42"}, "items": items}))
    found = await client(transport).list(KIND)

    assert (found.items, found.date) == ((), None)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"size":"big"}'], ids=["none", "no JSON", "odd"]
)
async def test_undecodable(body: bytes) -> None:
    """An answer that cannot be read is Undecodable, never a success."""
    with pytest.raises(Undecodable):
        await client(Scripted(Response(200, {}, body))).get(KIND, "default", "a")
    with pytest.raises(Undecodable):
        await client(Scripted(Response(200, {}, body))).list(KIND)


def page(name: str, *, date: str = "", token: str = "") -> Response:
    """Return a page of a list."""
    metadata = {"resourceVersion": "42", "continue": token}
    return answer({"metadata": metadata, "items": [thing(name)]}, headers={"Date": date})
