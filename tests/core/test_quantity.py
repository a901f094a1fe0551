"""Quantities against the vectors that Kubernetes itself answered; `about` in the file tells how."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rso.core.quantity import (
    MAX_BYTES,
    InvalidQuantity,
    Size,
    format_bytes,
    read,
    read_bytes,
    round_up,
    size,
)

VECTORS: dict[str, Any] = json.loads(
    Path(__file__).with_name("quantities.json").read_text(encoding="utf-8")
)


def vectors(section: str, *keys: str) -> list[Any]:
    """Return a section as parameters, named by its inputs."""
    return [
        pytest.param(vector, id=" ".join(ascii(vector[key])[:40] for key in keys))
        for vector in VECTORS[section]
    ]


def reason_of(error: pytest.ExceptionInfo[InvalidQuantity]) -> str:
    return error.value.reason


def refusal_of(rule: Callable[[str], object], text: str) -> str:
    """Return the sentence of a refusal; empty when the text is taken."""
    try:
        rule(text)
    except InvalidQuantity as refusal:
        return str(refusal)
    return ""


@pytest.mark.parametrize("vector", vectors("parse", "input"))
def test_reading_answers_as_kubernetes_does(vector: dict[str, Any]) -> None:
    """What the API server accepts is read as the amount it holds; the rest is refused."""
    text, expected, held = vector["input"], vector["read"], vector["k8s"]
    if not expected["ok"]:
        with pytest.raises(InvalidQuantity) as refusal:
            read(text)
        assert expected["reason"] == reason_of(refusal)
        return

    assert Fraction(held["amount"]) == read(text)
    if held["bytes"] is not None:
        assert held["bytes"] == read_bytes(text)


@pytest.mark.parametrize("vector", vectors("parse", "input"))
def test_sizes_that_people_write_are_strict(vector: dict[str, Any]) -> None:
    """A size is taken with its exact bytes and its text for the claim, or refused by its reason."""
    text, expected = vector["input"], vector["size"]
    if not expected["ok"]:
        with pytest.raises(InvalidQuantity) as refusal:
            size(text)
        assert expected["reason"] == reason_of(refusal)
        return

    assert Size(expected["bytes"], expected["write"]) == size(text)


@pytest.mark.parametrize("text", ["Ti", ".Ti", "e-9", "-E999", "+."])
def test_a_missing_number_is_read_as_zero(text: str) -> None:
    """Without a digit a quantity is 0, as `ParseQuantity` of v0.37.2 answers."""
    assert read(text) == 0


@pytest.mark.parametrize("text", ["Pi", "-Ei", "e-10", ".e-999", "+E-33"])
def test_a_missing_number_is_refused_where_kubernetes_refuses_it(text: str) -> None:
    """Without a digit the largest units and smallest exponents are errors, as in v0.37.2."""
    with pytest.raises(InvalidQuantity, match="not a size"):
        read(text)


@pytest.mark.parametrize("vector", vectors("json", "json"))
def test_what_the_api_server_sends_is_read_as_it_was_meant(vector: dict[str, Any]) -> None:
    """The text that the API server makes of a JSON value is read as the amount of that value."""
    if vector["ok"]:
        assert Fraction(vector["amount"]) == read(vector["marshals"])
        return
    value = json.loads(vector["json"])
    if isinstance(value, str) and "u0030" not in vector["json"]:
        with pytest.raises(InvalidQuantity):
            read(value)


@pytest.mark.parametrize("vector", vectors("format", "bytes"))
def test_bytes_are_printed_as_kubernetes_prints_them(vector: dict[str, Any]) -> None:
    """Whole bytes look as in kubectl; below 1,024 they are plain digits."""
    count = vector["bytes"]
    expected = str(count) if count < 2**10 else vector["BinarySI"]

    assert expected == format_bytes(count)


@pytest.mark.parametrize("vector", vectors("compare", "a", "b"))
def test_amounts_compare_as_in_kubernetes(vector: dict[str, Any]) -> None:
    """Two amounts are in the order that `Quantity.Cmp` gives."""
    first, second = read(vector["a"]), read(vector["b"])

    assert vector["cmp"] == (first > second) - (first < second)


@pytest.mark.parametrize("vector", vectors("add", "a", "b"))
def test_amounts_add_as_in_kubernetes(vector: dict[str, Any]) -> None:
    """The sum of two amounts is what `Quantity.Add` holds."""
    assert Fraction(vector["amount"]) == read(vector["a"]) + read(vector["b"])


@given(st.integers(min_value=1, max_value=MAX_BYTES))
@example(MAX_BYTES)
def test_printed_bytes_are_read_back(count: int) -> None:
    """What is printed for a size is a size of the same bytes."""
    assert count == size(format_bytes(count)).bytes


TEXTS = st.one_of(
    st.text(max_size=80),
    st.from_regex(r"\A[+-]?[0-9]{0,25}(\.[0-9]{0,20})?([numkMGTPEei+-]{0,2}[0-9]{0,4})\Z"),
)


@given(TEXTS)
@example("0.0000000001")
@example("7.9999999999999999999Ei")
def test_a_size_means_the_same_to_kubernetes(text: str) -> None:
    """What is accepted as a size, Kubernetes reads as the same bytes, and so it does our text."""
    try:
        accepted = size(text)
    except InvalidQuantity:
        return

    assert accepted.bytes == read_bytes(text)
    assert accepted.bytes == read_bytes(accepted.text)
    assert accepted.bytes == read(accepted.text)


@given(TEXTS)
def test_any_text_gets_an_answer(text: str) -> None:
    """Every text is read, or refused by one printable sentence; nothing else is raised."""
    assert refusal_of(read, text).isprintable()
    assert refusal_of(size, text).isprintable()


@given(st.fractions())
def test_rounding_never_loses_bytes(amount: Fraction) -> None:
    """Rounding goes away from zero, by less than one byte."""
    rounded = round_up(amount)

    assert abs(amount) <= abs(rounded) < abs(amount) + 1
    assert amount * rounded >= 0


@pytest.mark.parametrize("rule", [read, size])
def test_long_texts_are_refused_at_once(rule: Callable[[str], object]) -> None:
    """A text over the limit is refused before it is looked at."""
    with pytest.raises(InvalidQuantity) as refusal:
        rule("1" * 1025)

    expected = "too_long"
    assert expected == reason_of(refusal)


def test_a_refusal_helps_the_person() -> None:
    """The text of a refusal names what was written and how to write it."""
    with pytest.raises(InvalidQuantity, match=r"'10GB' cannot be used: .* 10Gi"):
        size("10GB")
