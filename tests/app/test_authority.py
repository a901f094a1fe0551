"""The webhook's certificates: each is renewed in time, and nobody meets a stranger."""

import asyncio
import json
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rso.app.authority import (
    AUTHORITY_LIFE,
    LEAF_LIFE,
    OVERLAP,
    SKEW,
    Authority,
    Pair,
    make_authority,
    make_leaf,
    renewed,
)
from rso.app.pairs import PairFiles
from rso.app.tls import Served, UnusablePair
from rso.kube.clock import SystemClock
from tests.support.review_servers import HOST, NAMES, Running, review_server, trusting

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def test_a_leaf_is_due_after_two_thirds_of_its_life() -> None:
    """Not before, and long before it expires."""
    leaf = make_leaf(make_authority(NOW), NAMES, NOW)

    assert not leaf.is_due(NOW + LEAF_LIFE * 0.6)
    assert leaf.is_due(NOW + LEAF_LIFE * 0.7)
    assert leaf.parsed.not_valid_after_utc == NOW + LEAF_LIFE


def test_clocks_may_differ() -> None:
    """A certificate is valid for a machine whose clock is behind ours."""
    authority = make_authority(NOW)

    for each in (authority, make_leaf(authority, NAMES, NOW)):
        assert each.parsed.not_valid_before_utc == NOW - SKEW


def test_an_authority_is_renewed_with_an_overlap() -> None:
    """The next one is trusted for a day before it signs, the last one until it expires."""
    first = Authority(make_authority(NOW))
    due = NOW + AUTHORITY_LIFE * 0.7

    before = renewed(first, NOW + AUTHORITY_LIFE * 0.6)
    both = renewed(first, due)
    waiting = renewed(both, due + OVERLAP / 2)
    turned = renewed(both, due + OVERLAP)
    kept = renewed(turned, due + OVERLAP * 2)
    alone = renewed(turned, NOW + AUTHORITY_LIFE)

    assert before == first
    assert both.following is not None
    assert (first.signer, both) == (both.signer, waiting)
    assert both.bundle == first.signer.certificate + both.following.certificate
    assert (both.following, first.signer.certificate) == (turned.signer, turned.former)
    assert kept == turned
    assert alone == replace(turned, former=b"")


def test_what_is_no_certificate_is_refused() -> None:
    """A damaged authority is never taken for one."""
    with pytest.raises(ValueError, match="PEM"):
        renewed(Authority(Pair(b"x", b"y")), NOW)


async def version_of(running: Running, context: ssl.SSLContext) -> int:
    """Return the serial number of the certificate that a new connection gets."""
    _, writer = await asyncio.open_connection(
        HOST, running.port, ssl=context, server_hostname=NAMES[0]
    )
    found = writer.get_extra_info("ssl_object").getpeercert()
    writer.close()
    return int(found["serialNumber"], 16)


async def test_a_new_certificate_drops_no_connection() -> None:
    """Old connections go on, new ones get the new certificate, both trust one authority."""
    async with review_server() as running:
        context = running.context()
        reader, writer = await asyncio.open_connection(
            HOST, running.port, ssl=context, server_hostname=NAMES[0]
        )
        before = await version_of(running, context)
        leaf = make_leaf(running.authority, NAMES, SystemClock().now())
        running.served.use(leaf.certificate, leaf.key)
        writer.write(b"GET /mutate HTTP/1.1\r\nHost: x\r\n\r\n")
        line = await reader.readline()
        after = await version_of(running, context)
        writer.close()

    assert b"405" in line
    assert before != after == leaf.parsed.serial_number


async def test_the_certificate_bears_the_names_of_the_service() -> None:
    """Another name, and another authority, are not accepted by a client."""
    async with review_server() as running:
        for context, name in (
            (running.context(), "other.example.com"),
            (trusting(make_authority(SystemClock().now())), NAMES[0]),
        ):
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.open_connection(HOST, running.port, ssl=context, server_hostname=name)


def test_files_are_taken_again_when_they_change(tmp_path: Path) -> None:
    """A new pair is served; one that does not fit changes nothing, and is told."""
    served = Served()
    files = PairFiles(tmp_path, served)
    authority = make_authority(NOW)
    pairs = [make_leaf(authority, NAMES, NOW + timedelta(days=each)) for each in (0, 1)]

    def write(certificate: bytes, key: bytes) -> None:
        (tmp_path / "tls.crt").write_bytes(certificate)
        (tmp_path / "tls.key").write_bytes(key)

    with pytest.raises(UnusablePair, match=r"tls\.crt cannot be read"):
        files.refresh()
    assert "there is no certificate yet" == served.missing()
    write(pairs[0].certificate, pairs[0].key)
    files.refresh()
    first = served.expiry()
    write(pairs[1].certificate, pairs[0].key)
    with pytest.raises(UnusablePair, match="cannot be used"):
        files.refresh()
    half = served.expiry()
    write(pairs[1].certificate, pairs[1].key)
    files.refresh()
    files.refresh()

    assert first == half == (NOW + LEAF_LIFE).timestamp()
    assert served.expiry() == (NOW + LEAF_LIFE + timedelta(days=1)).timestamp()
    assert served.missing() is None
    assert files.bundle is None
    (tmp_path / "ca.crt").write_bytes(authority.certificate)
    assert authority.certificate == files.bundle


def test_no_key_is_in_the_bundle() -> None:
    """What API servers get holds certificates only."""
    authority = renewed(Authority(make_authority(NOW)), NOW + AUTHORITY_LIFE * 0.7)

    assert b"PRIVATE" not in authority.bundle
    assert json.dumps(authority.bundle.decode()).count("BEGIN CERTIFICATE") == 2
