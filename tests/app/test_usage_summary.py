"""What a kubelet says of volumes, decoded."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rso.app.usage.source import Fault, Trouble
from rso.app.usage.summary import decode
from tests.support.usage import GIB, TAKEN_AT, Json, pod, summary, volume


def encoded(said: Json) -> bytes:
    """Return an answer as a kubelet writes it: with one space for each level."""
    return json.dumps(said, indent=1).encode()


def test_a_claims_volume_is_read_and_others_are_not() -> None:
    """Only volumes with a claim count; Pod, claim, time and amounts arrive as they were said."""
    found = decode(encoded(summary(0)))

    [reading] = found.readings
    assert ("node-0", frozenset({"uid-db-0"})) == (found.node, found.pod_uids)
    assert ("uid-db-0", "shop", "data-db-0") == (reading.pod_uid, reading.namespace, reading.claim)
    assert TAKEN_AT == reading.taken_at
    assert (10 * GIB, 7 * GIB, 3 * GIB) == (
        reading.capacity_bytes,
        reading.used_bytes,
        reading.available_bytes,
    )
    assert (1000, 10) == (reading.inodes, reading.inodes_used)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"inodes": 0, "inodesUsed": 0}, id="btrfs says 0"),
        pytest.param({"inodes": None}, id="missing"),
    ],
)
def test_no_inodes_are_no_inode_data(changes: Json) -> None:
    """A file system without inodes is never full of them."""
    [reading] = decode(encoded(summary(0, pod(0, volume(0, **changes))))).readings

    assert (None, None) == (reading.inodes, reading.inodes_used)


@pytest.mark.parametrize("field", ["time", "capacityBytes", "usedBytes", "availableBytes"])
def test_missing_is_not_zero(field: str) -> None:
    """A volume without a time or an amount is left out; its neighbours stay."""
    said = summary(0, pod(0, volume(0, **{field: None})), pod(1))

    assert ["data-db-1"] == [each.claim for each in decode(encoded(said)).readings]


@pytest.mark.parametrize(
    "time", ["", "yesterday", "2026-11-01T12:00:00", "0001-01-01T00:00:00+23:00"]
)
def test_a_time_that_is_none_hides_only_its_volume(time: str) -> None:
    """Times without a zone, beyond the calendar or in words are no times."""
    said = summary(0, pod(0, volume(0, time=time)), pod(1))

    assert ["data-db-1"] == [each.claim for each in decode(encoded(said)).readings]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(encoded(summary(0))[:-20], id="cut off"),
        pytest.param(b"<html>", id="not JSON"),
        pytest.param(b"[]", id="another form"),
        pytest.param(b'{"node": {}, "pods": [{"podRef": {"uid": 1}}]}', id="another type"),
        pytest.param(b'{"node": {}, "x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", id="deep"),
        pytest.param(b'{"node": {"nodeName": "\xff"}}', id="no UTF-8"),
    ],
)
def test_what_is_no_summary_is_malformed(body: bytes) -> None:
    """One error for all of it, with a word for metrics."""
    with pytest.raises(Trouble) as trouble:
        decode(body)

    assert Fault.MALFORMED == trouble.value.fault


MARKS = st.sampled_from([b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"9", b"\x00", b"\xff"])


@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_or_malformed(body: bytes) -> None:
    """Random bytes never raise anything else."""
    try:
        decode(body)
    except Trouble as trouble:
        assert Fault.MALFORMED == trouble.fault  # noqa: PT017  it may also be fine


@given(st.data())
def test_a_damaged_summary_is_decoded_or_malformed(data: st.DataObject) -> None:
    """A summary with a few bytes exchanged never raises anything else."""
    body = encoded(summary(0, pod(0), pod(1)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        body = body[:place] + data.draw(MARKS) + body[place + 1 :]
    try:
        found = decode(body)
    except Trouble as trouble:
        assert Fault.MALFORMED == trouble.fault  # noqa: PT017  it may also be fine
    else:
        assert all(each.taken_at.tzinfo for each in found.readings)
