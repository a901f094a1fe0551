"""Every setting is checked by a function that says what is allowed."""

import pytest

from rso.app.settings import (
    Settings,
    bind_address,
    count,
    default_identity,
    identity,
    namespaces,
    size_bytes,
)
from rso.core.policy import Bounds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("0", None, id="off"),
        pytest.param(":8080", ("", 8080), id="all addresses"),
        pytest.param("127.0.0.1:8080", ("127.0.0.1", 8080), id="one address"),
        pytest.param("[::1]:8080", ("::1", 8080), id="IPv6"),
        pytest.param("localhost:0", ("localhost", 0), id="any port"),
    ],
)
def test_addresses_are_read(text: str, expected: tuple[str, int] | None) -> None:
    """A bind address is host and port, or nothing for off."""
    assert expected == bind_address(text)


@pytest.mark.parametrize(
    "text", ["", "8080", ":", "host", ":65536", ":-1", ":\uff18\uff10", "::1:80", "a b:80", ":80\n"]
)
def test_bad_addresses_are_refused(text: str) -> None:
    """What is no address is refused by a sentence with the forms that are."""
    with pytest.raises(ValueError, match=r"host:port, :port for all, or 0"):
        bind_address(text)


def test_namespaces_are_a_list() -> None:
    """Namespaces are separated by commas; each counts once."""
    expected = ("shop", "billing-2")

    assert expected == namespaces("shop, billing-2,shop")


@pytest.mark.parametrize("text", ["", "a,", "Shop", "-a", "a-", "a.b", "é", "a" * 64, "a,a\x00"])
def test_bad_namespaces_are_refused(text: str) -> None:
    """A name that no namespace can have is refused."""
    with pytest.raises(ValueError, match="is no namespace"):
        namespaces(text)


@pytest.mark.parametrize(("text", "expected"), [("1", 1), ("8", 8), ("1000", 1000)])
def test_counts_are_read(text: str, expected: int) -> None:
    """A count is a whole number from 1 to 1,000."""
    assert expected == count(text)


@pytest.mark.parametrize("text", ["", "0", "-1", "1001", "1.5", "\uff11", "9" * 99, "1e3"])
def test_bad_counts_are_refused(text: str) -> None:
    """Anything else is refused with the range."""
    with pytest.raises(ValueError, match="from 1 to 1000"):
        count(text)


def test_sizes_are_as_in_annotations() -> None:
    """A size is taken and refused as where people write it into an annotation."""
    expected = 1536 * 2**20

    assert expected == size_bytes("1.5Gi")
    with pytest.raises(ValueError, match="10Gi"):
        size_bytes("10GB")


@pytest.mark.parametrize("text", ["", "a b", "a/b", "a" * 254])
def test_bad_identities_are_refused(text: str) -> None:
    """An identity that would not fit into the Lease or a log line is refused."""
    with pytest.raises(ValueError, match="is no identity"):
        identity(text)


def test_each_process_has_its_own_identity() -> None:
    """Two starts on one machine are two holders, under names that are allowed."""
    first, second = default_identity(), default_identity()

    assert first != second
    assert first == identity(first)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param(Settings(), Bounds(2000 * 2**30, 10, template_follows=False), id="defaults"),
        pytest.param(
            Settings(max_size_bytes=1, max_factor=2, template_follows="always"),
            Bounds(1, 2, template_follows=True),
            id="set by flags",
        ),
        pytest.param(
            Settings(namespaces=("shop",)),
            Bounds(2000 * 2**30, 10, template_follows=False, reads_volumes=False),
            id="namespaced: volumes are not readable",
        ),
    ],
)
def test_settings_bound_what_a_set_may_wish(settings: Settings, expected: Bounds) -> None:
    """The decision reads its bounds from the settings."""
    assert expected == settings.bounds
