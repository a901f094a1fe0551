"""The envelope opens only for the set, the attempt and the key it was made for."""

import gzip
import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from rso.app import backup
from rso.app.backup import (
    MAX_BYTES,
    MAX_CONTENT_BYTES,
    BackupUnreadable,
    Header,
    Keys,
    TooLarge,
    backup_name,
    config_map,
    envelope_of,
    header_of,
    open_,
    seal,
)
from rso.core.names import BACKUP_SELECTOR, PHASE_LABEL, Phase

OLD_KEY, NEW_KEY = (hashlib.sha256(seed).digest() for seed in (b"test", b"test 2"))
KEYS = Keys("k1", {"k1": OLD_KEY})
HEADER = Header(
    cluster="b5f8c7a0-0000-4000-8000-000000000001",
    namespace="shop",
    name="db",
    uid="b5f8c7a0-0000-4000-8000-000000000002",
    generation=3,
    resource_version="4711",
    attempt="1",
)
CONTENT = {"object": {"kind": "StatefulSet", "metadata": {"name": "db"}}, "pods": []}
STORED = Path(__file__).with_name("envelope-1.bin")

NUMBERS = st.integers(min_value=-(2**63), max_value=2**63 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=20,
)


def sealed(data_key_content: bytes, header: Header = HEADER) -> bytes:
    """Return an envelope whose body is authentic but not what `seal` would pack."""
    data_key, nonce = os.urandom(32), os.urandom(12)
    wrapped = AESGCM(OLD_KEY).encrypt(nonce, data_key, backup._bound(header, "k1"))
    body = AESGCM(data_key).encrypt(nonce, data_key_content, backup._bound(header))
    return b"SRB\x01\x02k1" + nonce + wrapped + nonce + body


@given(st.dictionaries(st.text(max_size=9), VALUES))
def test_what_is_sealed_is_opened(content: dict[str, Any]) -> None:
    """A content comes back as it was."""
    assert content == open_(KEYS, HEADER, seal(KEYS, HEADER, content))


def test_no_two_envelopes_are_equal() -> None:
    """Sealing the same content twice gives different bytes, so that nothing shows."""
    assert seal(KEYS, HEADER, CONTENT) != seal(KEYS, HEADER, CONTENT)


def test_every_changed_bit_is_noticed() -> None:
    """An envelope with any one bit turned over is refused."""
    envelope = seal(KEYS, HEADER, CONTENT)

    for bit in range(len(envelope) * 8):
        changed = bytearray(envelope)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BackupUnreadable):
            open_(KEYS, HEADER, bytes(changed))


def test_every_truncation_is_noticed() -> None:
    """An envelope that ends early, or goes on, is refused."""
    envelope = seal(KEYS, HEADER, CONTENT)

    for end in range(len(envelope)):
        with pytest.raises(BackupUnreadable):
            open_(KEYS, HEADER, envelope[:end])
    with pytest.raises(BackupUnreadable):
        open_(KEYS, HEADER, envelope + b"\x00")


@pytest.mark.parametrize("name", Header.__struct_fields__)
def test_an_envelope_belongs_to_one_header(name: str) -> None:
    """With any field of the header changed the envelope is refused."""
    value = getattr(HEADER, name)
    other = msgspec.structs.replace(HEADER, **{name: value + type(value)(1)})

    with pytest.raises(BackupUnreadable, match="does not prove"):
        open_(KEYS, other, seal(KEYS, HEADER, CONTENT))


def test_fields_of_the_header_do_not_run_together() -> None:
    """Moving a character from one field into the next is noticed."""
    header = msgspec.structs.replace(HEADER, namespace="a", name="bc")
    other = msgspec.structs.replace(HEADER, namespace="ab", name="c")

    with pytest.raises(BackupUnreadable):
        open_(KEYS, other, seal(KEYS, header, CONTENT))


def test_a_rotated_key_still_opens() -> None:
    """After a rotation old envelopes are opened and new ones are sealed with the new key."""
    content = {"pods": ["db-0"]}
    rotated = Keys("k2", {"k1": OLD_KEY, "k2": NEW_KEY})
    envelope = seal(rotated, HEADER, content)

    assert content == open_(rotated, HEADER, seal(KEYS, HEADER, content))
    assert content == open_(Keys("k2", {"k2": NEW_KEY}), HEADER, envelope)


def test_a_removed_key_is_named() -> None:
    """An envelope of a key that is gone is refused by a sentence with both ids and the set."""
    envelope = seal(KEYS, HEADER, CONTENT)

    with pytest.raises(BackupUnreadable, match=r"shop/db .*'k1', which is not among .*\(k2\)"):
        open_(Keys("k2", {"k2": NEW_KEY}), HEADER, envelope)


def test_a_wrong_key_of_the_same_name_is_refused() -> None:
    """A key that was replaced under its old id opens nothing."""
    with pytest.raises(BackupUnreadable, match="'k1'"):
        open_(Keys("k1", {"k1": NEW_KEY}), HEADER, seal(KEYS, HEADER, CONTENT))


def test_the_id_of_a_key_is_authenticated() -> None:
    """An envelope that names another id of the same key is refused."""
    keys = Keys("k1", {"k1": OLD_KEY, "k2": OLD_KEY})
    envelope = seal(keys, HEADER, CONTENT).replace(b"k1", b"k2", 1)

    with pytest.raises(BackupUnreadable):
        open_(keys, HEADER, envelope)


def test_an_envelope_of_a_later_version_is_kept_for_its_operator() -> None:
    """An unknown version is refused by a sentence that says which operator to run."""
    with pytest.raises(BackupUnreadable, match=r"version 2 .* run the operator that wrote it"):
        open_(KEYS, HEADER, b"SRB\x02" + seal(KEYS, HEADER, CONTENT)[4:])


@pytest.mark.parametrize(
    ("packed", "why"),
    [
        pytest.param(b"{}", "not compressed", id="not compressed"),
        pytest.param(gzip.compress(b"{"), "no JSON object", id="half of an object"),
        pytest.param(gzip.compress(b"[]"), "no JSON object", id="a list"),
        pytest.param(gzip.compress(b'{"a":"\xff"}'), "no JSON object", id="no UTF-8"),
        pytest.param(gzip.compress(b'{"a":' * 99999), "no JSON object", id="too deep"),
        pytest.param(gzip.compress(b"{}")[:-1], "damaged", id="cut off"),
        pytest.param(gzip.compress(b"{}") + b"{}", "damaged", id="something behind"),
        pytest.param(gzip.compress(bytes(MAX_CONTENT_BYTES + 1)), "over", id="too big unpacked"),
    ],
)
def test_an_authentic_body_must_make_sense(packed: bytes, why: str) -> None:
    """A body that we did seal but that is no content is refused, within bounded memory."""
    with pytest.raises(BackupUnreadable, match=why):
        open_(KEYS, HEADER, sealed(packed))


def test_content_at_the_bound_is_opened() -> None:
    """The largest content that may be sealed can be opened."""
    content = {"a": "a" * (MAX_CONTENT_BYTES - len('{"a":""}'))}

    assert content == open_(KEYS, HEADER, seal(KEYS, HEADER, content))


def test_what_does_not_fit_is_not_sealed() -> None:
    """A set over the limits is refused, packed or unpacked."""
    with pytest.raises(TooLarge, match=str(MAX_BYTES)):
        seal(KEYS, HEADER, {"a": os.urandom(MAX_BYTES).hex()})
    with pytest.raises(TooLarge, match=str(MAX_CONTENT_BYTES)):
        seal(KEYS, HEADER, {"a": "a" * MAX_CONTENT_BYTES})


def test_refusals_say_nothing_of_the_content() -> None:
    """No refusal and no representation of the keys holds a byte of content or key."""
    envelope = seal(KEYS, HEADER, {"password": "canary"})

    with pytest.raises(BackupUnreadable) as refusal:
        open_(KEYS, HEADER, envelope[:-1])
    for secret in ("canary", OLD_KEY.hex(), repr(OLD_KEY)):
        assert secret not in f"{refusal.value!r} {KEYS!r}"


@pytest.mark.parametrize(
    ("primary", "by_id", "why"),
    [
        pytest.param("k2", {"k1": OLD_KEY}, "'k2' is not among", id="no primary"),
        pytest.param("k1", {"k1": OLD_KEY[1:]}, "31 bytes", id="a short key"),
        pytest.param("../k", {"../k": OLD_KEY}, "cannot be the id", id="an id that is a path"),
        pytest.param("k" * 64, {"k" * 64: OLD_KEY}, "cannot be the id", id="a long id"),
    ],
)
def test_unusable_keys_are_refused(primary: str, by_id: dict[str, bytes], why: str) -> None:
    """Keys that could not seal are refused by a sentence before anything is deleted."""
    with pytest.raises(ValueError, match=why):
        Keys(primary, by_id)


@pytest.mark.parametrize("text", ["no base64", "====", "\x80"])
def test_a_text_that_is_no_base64_is_a_damaged_backup(text: str) -> None:
    """Whatever stands there, it is told as damage; text that is not ASCII was found by fuzzing."""
    with pytest.raises(BackupUnreadable, match="its data is damaged"):
        envelope_of(HEADER.backup_name, {"backup": text})


def test_a_config_map_gives_back_what_it_keeps() -> None:
    """Header and envelope survive the way through a ConfigMap, which is found by its labels."""
    envelope = seal(KEYS, HEADER, CONTENT)
    body = config_map(HEADER, envelope)
    labels = body["metadata"]["labels"]

    assert (HEADER, envelope) == (
        header_of(HEADER.backup_name, body["data"]),
        envelope_of(HEADER.backup_name, body["binaryData"]),
    )
    assert body["immutable"] is True
    assert set(BACKUP_SELECTOR.split(",")) <= {f"{key}={value}" for key, value in labels.items()}
    assert PHASE_LABEL not in labels


def test_a_config_map_carries_its_phase() -> None:
    """The phase of a backup is a label, which may change though the data may not."""
    labels = config_map(HEADER, b"", Phase.DELETING)["metadata"]["labels"]

    assert {PHASE_LABEL: "deleting"}.items() <= labels.items()


def test_a_backup_moved_to_another_name_is_refused() -> None:
    """A ConfigMap whose name is not the hash of its header is refused."""
    body = config_map(HEADER, b"")
    other = backup_name("another", "shop", "db", HEADER.uid)

    with pytest.raises(BackupUnreadable, match="not that of its header"):
        header_of(other, body["data"])


@pytest.mark.parametrize("text", [None, "", "{", "{}", "[]"])
def test_a_damaged_header_is_refused(text: str | None) -> None:
    """A ConfigMap of ours without a readable header is refused, and named."""
    with pytest.raises(BackupUnreadable, match=HEADER.backup_name):
        header_of(HEADER.backup_name, {} if text is None else {"header": text})


@pytest.mark.parametrize("text", [None, "", "*", "U1JC"])
def test_a_damaged_envelope_is_refused(text: str | None) -> None:
    """A ConfigMap of ours without a readable envelope is refused, and named."""
    binary_data = {} if text is None else {"backup": text}

    with pytest.raises(BackupUnreadable, match=HEADER.backup_name):
        open_(KEYS, HEADER, envelope_of(HEADER.backup_name, binary_data))


def test_names_of_backups_do_not_change() -> None:
    """The name is the digest that a shell gives for cluster|namespace|name|uid."""
    expected = hashlib.sha256(b"c|ns|db|u").hexdigest()[:40]

    assert f"srb-{expected}" == backup_name("c", "ns", "db", "u")


def test_envelopes_of_version_1_stay_readable() -> None:
    """An envelope that an earlier version wrote is opened."""
    expected = {"object": {"kind": "StatefulSet", "metadata": {"name": "db"}}, "pods": []}

    assert expected == open_(KEYS, HEADER, STORED.read_bytes())
