"""Answers of Prometheus, decoded: whatever the bytes, an answer or one error."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rso.app.usage.series import KEPT_POINTS, Answer, Series, Table, decode
from rso.app.usage.source import Fault, Trouble
from tests.support.usage import TAKEN_AT, subject

KEY = ("shop", "data-db-0")
NOW = TAKEN_AT.timestamp()
LABELS = {"__name__": "x", "namespace": "shop", "persistentvolumeclaim": "data-db-0", "node": "n"}


def encoded(*values: object, **more: object) -> bytes:
    """Return an answer with one series of these points."""
    result = [{"metric": LABELS, "values": values}, {"metric": {}, "values": [[1, "1"]]}]
    return json.dumps({"status": "success", "data": {"result": result}, **more}).encode()


def test_the_newest_points_of_the_claims_are_kept() -> None:
    """Series of others and older points are dropped: they cost memory."""
    found = decode(encoded(*([NOW + n, str(n)] for n in range(9))), {KEY})

    kept = tuple((NOW + n, float(n)) for n in range(9 - KEPT_POINTS, 9))
    assert Answer((Series(KEY, "", kept),), ()) == found


@pytest.mark.parametrize("seconds", [1e300, -1e300, 1e14])
def test_a_time_beyond_the_calendar_is_none(seconds: float) -> None:
    """Such a point makes no sample and breaks nothing."""
    table = Table([subject(0)])
    for metric in ("capacity_bytes", "available_bytes", "used_bytes"):
        table.add(metric, decode(encoded([seconds, "1"]), table.keys))

    assert {} == table.samples()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b'{"data": null}', id="no data"),
        pytest.param(encoded([1]), id="a point without a value"),
        pytest.param(encoded(["1", "1"]), id="a time in words"),
        pytest.param(b'{"data": ' + b"[" * 200_000, id="deep"),
        pytest.param(encoded(warnings="x"), id="warnings of another form"),
    ],
)
def test_what_is_no_matrix_is_malformed(body: bytes) -> None:
    """One error for all of it."""
    with pytest.raises(Trouble) as trouble:
        decode(body, {KEY})

    assert Fault.MALFORMED == trouble.value.fault


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.binary(max_size=200) | st.lists(JSON, max_size=4).map(lambda points: encoded(*points)))
def test_any_bytes_are_decoded_or_malformed(body: bytes) -> None:
    """Random bytes and random points never raise anything else."""
    try:
        decode(body, {KEY})
    except Trouble as trouble:
        assert Fault.MALFORMED == trouble.fault  # noqa: PT017  it may also be fine


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["capacity_bytes", "available_bytes", "used_bytes", "inodes"]),
            st.lists(st.tuples(st.floats(), st.floats()), max_size=3),
            st.sampled_from(["", "a"]),
        )
    )
)
def test_any_points_make_samples_or_none(
    said: list[tuple[str, list[tuple[float, float]], str]],
) -> None:
    """Whatever the points, putting them together raises nothing; samples have aware times."""
    table = Table([subject(0)])
    for metric, points, cluster in said:
        table.add(metric, Answer((Series(KEY, cluster, tuple(points)),), ()))

    assert all(each.taken_at.tzinfo for each in table.samples().values())
    assert set(table.ambiguous()).isdisjoint(table.samples())
