"""The envelope of a backup: what keeps a deleted set safe, and from whom.

    "SRB" | version 1 | length of key id, key id | wrap nonce 12 | wrapped DEK 48 | nonce 12 | body
    body        = AES-256-GCM(DEK, gzip(canonical JSON of the content), header)
    wrapped DEK = AES-256-GCM(KEK of the key id, DEK, header and key id)

Each backup has a data key (DEK) of its own, wrapped by a long-lived key (KEK). The header is
authenticated with both, so that a body which was moved to another set, generation or attempt
cannot be opened. It stands in clear in the ConfigMap, because it must be known when the set is
gone, and the ConfigMap's name is a hash of it.

Content is JSON, never pickle or YAML: whoever writes what we create decides what runs (T3).
An envelope that cannot be opened is never "no backup": stop, alert, keep.
Source: the layering is that of Kubernetes KMS v2 (KEP-3299).
"""

import base64
import gzip
import hashlib
import os
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rso.core.names import (
    APP,
    APP_LABEL,
    BACKUP_COMPONENT,
    COMPONENT_LABEL,
    NAMESPACE_HASH_LABEL,
    PHASE_LABEL,
    Phase,
)

MAX_BYTES = 900 * 1024  # a ConfigMap holds 1 MiB; the rest is for its metadata
MAX_CONTENT_BYTES = 16 * 1024 * 1024  # ten times what etcd stores of one object
KEY_BYTES = 32

_MAGIC = b"SRB"
_VERSION = 1
_NONCE_BYTES = 12  # what AES-GCM is made for
_WRAPPED_BYTES = KEY_BYTES + 16  # the data key and its tag
_SCHEME = "srb/1"
_GZIP = 16 + zlib.MAX_WBITS
_KEY_ID = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", re.ASCII)
_NAME_DIGITS = 40


class TooLarge(ValueError):
    """The set does not fit into a ConfigMap; nothing has been written. `size_bytes` says why."""

    def __init__(self, what: str, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"{what} has {size_bytes} bytes; {limit_bytes} fit")
        self.size_bytes = size_bytes


class BackupUnreadable(Exception):
    """A backup that must be kept and shown to a person.

    Its text names the backup and the key id, never a byte of either.
    """


class Header(msgspec.Struct, frozen=True):
    """Which set a backup is of; readable without the key.

    `cluster` is the uid of the operator's own namespace: a restored copy of the cluster is not
    this cluster. `attempt` tells two backups of the same state apart.
    """

    cluster: str
    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str
    attempt: str

    @property
    def backup_name(self) -> str:
        """The name of the ConfigMap."""
        return backup_name(self.cluster, self.namespace, self.name, self.uid)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that can open backups, and the one that seals.

    Shape: `by_id` is {key id: 32 bytes}; `primary` is one of its ids.
    Raises: ValueError, naming the id, when the primary is absent, an id is unusable or a key is
    not 32 bytes long.
    """

    primary: str
    by_id: Mapping[str, bytes] = field(repr=False)  # never in a log or a traceback (T20)

    def __post_init__(self) -> None:
        if self.primary not in self.by_id:
            raise ValueError(f"the primary key {_shown(self.primary)} is not among the keys")
        for key_id, key in self.by_id.items():
            if not is_key_id(key_id):
                raise ValueError(f"{_shown(key_id)} cannot be the id of a key")
            if len(key) != KEY_BYTES:
                raise ValueError(f"the key {_shown(key_id)} has {len(key)} bytes, not {KEY_BYTES}")


class _Envelope(NamedTuple):
    """The parts of an envelope, before anything is trusted."""

    key_id: str
    wrap_nonce: bytes
    wrapped_key: bytes
    nonce: bytes
    body: bytes


def is_key_id(text: str) -> bool:
    """Return whether a text can name a key: as a label value, at most 63 characters."""
    return _KEY_ID.fullmatch(text) is not None


def backup_name(cluster: str, namespace: str, name: str, uid: str) -> str:
    """Return the name of the one backup that a uid can have.

    None of the four can contain the separator: they are DNS names and UUIDs.
    """
    digest = hashlib.sha256(f"{cluster}|{namespace}|{name}|{uid}".encode()).hexdigest()
    return f"srb-{digest[:_NAME_DIGITS]}"


def namespace_hash(namespace: str) -> str:
    """Return the label value by which the backups of a namespace are found."""
    return hashlib.sha256(namespace.encode()).hexdigest()[:_NAME_DIGITS]


def seal(keys: Keys, header: Header, content: Mapping[str, Any]) -> bytes:
    """Return an envelope that only `open_` with the same header and a known key opens.

    Raises: TooLarge, when the envelope is over 900 KiB or the content over 16 MiB.
    """
    plain = msgspec.json.encode(content, order="sorted")
    if len(plain) > MAX_CONTENT_BYTES:
        raise TooLarge("the set", len(plain), MAX_CONTENT_BYTES)
    data_key = AESGCM.generate_key(bit_length=KEY_BYTES * 8)
    wrap_nonce, nonce = os.urandom(_NONCE_BYTES), os.urandom(_NONCE_BYTES)
    wrapped = AESGCM(keys.by_id[keys.primary]).encrypt(
        wrap_nonce, data_key, _bound(header, keys.primary)
    )
    # No time inside: it is in the content, authenticated.
    body = AESGCM(data_key).encrypt(nonce, gzip.compress(plain, mtime=0), _bound(header))
    key_id = keys.primary.encode()
    front = _MAGIC + bytes([_VERSION, len(key_id)]) + key_id
    envelope = front + wrap_nonce + wrapped + nonce + body
    if len(envelope) > MAX_BYTES:
        raise TooLarge("the backup", len(envelope), MAX_BYTES)
    return envelope


def open_(keys: Keys, header: Header, envelope: bytes) -> dict[str, Any]:
    """Return the content of an envelope that belongs to this header.

    Raises: BackupUnreadable, for anything that is not exactly what was sealed; a retry helps only
    after the keys or the backup were repaired.
    """
    parts = _parse(header, envelope)
    key = keys.by_id.get(parts.key_id)
    if key is None:
        raise _unreadable(
            header,
            f"it was sealed with the key {_shown(parts.key_id)}, which is not among the keys "
            f"({', '.join(sorted(keys.by_id))}); put that key back into the Secret",
        )
    return _decode(header, _decrypt(key, header, parts))


def config_map(header: Header, envelope: bytes, phase: Phase | None = None) -> dict[str, Any]:
    """Return the body of the ConfigMap that keeps an envelope; the caller names the namespace."""
    labels = {
        APP_LABEL: APP,
        COMPONENT_LABEL: BACKUP_COMPONENT,
        NAMESPACE_HASH_LABEL: namespace_hash(header.namespace),
    }
    if phase:
        labels[PHASE_LABEL] = phase.value
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": header.backup_name, "labels": labels},
        "immutable": True,  # only the labels change, with the phase
        "data": {"header": msgspec.json.encode(header, order="sorted").decode()},
        "binaryData": {"backup": base64.b64encode(envelope).decode()},
    }


def header_of(name: str, data: Mapping[str, str]) -> Header:
    """Return the header in a ConfigMap's `data`, in clear and not authenticated: `open_` does that.

    Raises: BackupUnreadable, when there is none or the ConfigMap's name is not its hash.
    """
    try:
        header = msgspec.json.decode(data.get("header", ""), type=Header)
    except msgspec.MsgspecError:
        raise BackupUnreadable(f"backup {name} cannot be read: its header is damaged") from None
    if header.backup_name != name:
        raise BackupUnreadable(f"backup {name} cannot be read: its name is not that of its header")
    return header


def envelope_of(name: str, binary_data: Mapping[str, str]) -> bytes:
    """Return the envelope in a ConfigMap's `binaryData`.

    Raises: BackupUnreadable, when it is not base64.
    """
    try:
        return base64.b64decode(binary_data.get("backup", ""), validate=True)
    except ValueError:  # also of a text that is not even ASCII, which the API server keeps out
        raise BackupUnreadable(f"backup {name} cannot be read: its data is damaged") from None


def _bound(header: Header, *more: str) -> bytes:
    """Return what is authenticated with a ciphertext.

    Each field has its length before it, so that no two headers give the same bytes. The order of
    the fields is that of `Header` and part of version 1.
    """
    fields = (_SCHEME, *msgspec.structs.astuple(header), *more)
    encoded = [str(text).encode() for text in fields]
    return b"".join(len(text).to_bytes(4) + text for text in encoded)


def _parse(header: Header, envelope: bytes) -> _Envelope:
    front, rest = envelope[: len(_MAGIC) + 2], envelope[len(_MAGIC) + 2 :]
    if len(front) < len(_MAGIC) + 2 or not front.startswith(_MAGIC):
        raise _unreadable(header, "its data is no backup of ours")
    if front[len(_MAGIC)] != _VERSION:
        raise _unreadable(
            header,
            f"it has version {front[len(_MAGIC)]} and this operator reads version {_VERSION}; "
            "run the operator that wrote it",
        )
    layout = struct.Struct(f"{front[-1]}s {_NONCE_BYTES}s {_WRAPPED_BYTES}s {_NONCE_BYTES}s")
    if len(rest) <= layout.size:
        raise _unreadable(header, "its data is cut off")
    key_id, wrap_nonce, wrapped_key, nonce = layout.unpack_from(rest)
    body = rest[layout.size :]
    return _Envelope(key_id.decode(errors="replace"), wrap_nonce, wrapped_key, nonce, body)


def _decrypt(key: bytes, header: Header, parts: _Envelope) -> bytes:
    try:
        data_key = AESGCM(key).decrypt(
            parts.wrap_nonce, parts.wrapped_key, _bound(header, parts.key_id)
        )
        return AESGCM(data_key).decrypt(parts.nonce, parts.body, _bound(header))
    except InvalidTag:
        raise _unreadable(
            header,
            f"with the key {_shown(parts.key_id)} it does not prove to be the one that was "
            "written for this set; the key, its header or its data was changed",
        ) from None


def _decode(header: Header, packed: bytes) -> dict[str, Any]:
    """Unpack what is already known to be ours, within bounds all the same."""
    unpacker = zlib.decompressobj(wbits=_GZIP)
    try:
        plain = unpacker.decompress(packed, MAX_CONTENT_BYTES)
    except zlib.error:
        raise _unreadable(header, "its content is not compressed as it should be") from None
    if not unpacker.eof or unpacker.unused_data:
        raise _unreadable(header, f"its content is damaged or over {MAX_CONTENT_BYTES} bytes")
    try:
        return msgspec.json.decode(plain, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _unreadable(header, "its content is no JSON object") from None


def _unreadable(header: Header, why: str) -> BackupUnreadable:
    return BackupUnreadable(
        f"backup {header.backup_name} of the StatefulSet {header.namespace}/{header.name} "
        f"cannot be read: {why}"
    )


def _shown(text: str) -> str:
    return ascii(text[:63])
