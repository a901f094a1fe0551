"""The keys of backups: a directory, as a Secret is mounted.

    <id>      the base64 text of 32 random bytes, one file for each key
    primary   the id of the key that seals

Text, since a key must survive clipboards, editors and secret stores that keep only text. A Secret
is mounted as links through `..data` into a directory that is exchanged as a whole; names with a
leading dot are that machinery.

To rotate: add a file, then change `primary`. Keep an old file until no backup names its id.
"""

import base64
import binascii
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from rso.app.backup import KEY_BYTES, Header, Keys, is_key_id, open_, seal
from rso.core.names import APP, APP_LABEL

PRIMARY = "primary"
_MAX_FILE_BYTES = 1024  # a key has 44 characters; more is another file put here by mistake
_PROBE = Header("self-test", "", "", "", 0, "", "")


class KeysUnusable(Exception):
    """The keys cannot seal a backup. Its text names the file and says what to do."""


class KeyRing:
    """The keys of a directory, read again when a file in it changes.

    Looking costs one directory listing; no write is needed to notice a rotation.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen: object = None
        self._keys: Keys | None = None
        self._known: Keys | None = None
        self._problem = ""

    def current(self) -> Keys | None:
        """Return the keys that seal and open; None while they are unusable (`problem` says why)."""
        seen = _fingerprint(self._directory)
        if seen != self._seen:
            self._read()
            self._seen = seen
        return self._keys

    def for_opening(self) -> Keys | None:
        """Return the keys that open: the current ones and all that this process has seen usable.

        A Secret that breaks, or loses a key too early, while a set is absent must not keep it
        absent. Never seal with these.
        """
        self.current()
        return self._known

    @property
    def problem(self) -> str:
        """Why the keys are unusable, in a sentence; empty while they are usable."""
        self.current()
        return self._problem

    def _read(self) -> None:
        try:
            keys = load_keys(self._directory)
        except KeysUnusable as fault:
            self._keys, self._problem = None, str(fault)
        else:
            earlier = self._known.by_id if self._known else {}
            self._known = Keys(keys.primary, {**earlier, **keys.by_id})
            self._keys, self._problem = keys, ""


class MeasuringKey:
    """A key of this process, to learn how large a backup would be; it can open none."""

    problem = ""

    def __init__(self) -> None:
        self._keys = Keys("measure", {"measure": secrets.token_bytes(KEY_BYTES)})

    def current(self) -> Keys:
        """Return a key that nobody else has."""
        return self._keys

    def for_opening(self) -> None:
        """Return no key."""


def load_keys(directory: Path) -> Keys:
    """Return the keys of a directory, after a probe was sealed and opened with the primary.

    Raises: KeysUnusable.
    """
    # One look at the link, so that two generations of a Secret are never mixed.
    source = _source(directory)
    try:
        by_id = {path.name: _key(path) for path in _files(source) if path.name != PRIMARY}
        primary = _text(source / PRIMARY)
    except OSError as fault:
        raise KeysUnusable(_advice(directory, fault)) from None
    if primary not in by_id:
        # What is no id may be a key that was written into the wrong file.
        shown = f"the key {primary}" if is_key_id(primary) else "no key"
        raise KeysUnusable(
            f"{directory / PRIMARY} names {shown} of the directory; put that key's file back, or "
            f"write one of these ids into it: {', '.join(sorted(by_id)) or 'none is there'}"
        )
    keys = Keys(primary, by_id)
    open_(keys, _PROBE, seal(keys, _PROBE, {}))
    return keys


def generate(directory: Path, now: datetime) -> str:
    """Make the first key of a directory, readable for its owner only; return its id.

    Raises: KeysUnusable, when there are keys already, which are never overwritten, or when the
    directory cannot be written.
    """
    key_id, text = _new_key(now)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(_files(directory)):
            raise KeysUnusable(f"{directory} is not empty; keys are never overwritten")
        _write(directory / key_id, text)
        # Last, so that a directory with a primary is whole.
        _write(directory / PRIMARY, key_id)
    except OSError as fault:
        raise KeysUnusable(
            f"{fault.filename or directory} cannot be written: {fault.strerror}"
        ) from None
    return key_id


def secret_manifest(name: str, namespace: str, now: datetime) -> dict[str, Any]:
    """Return a Secret with a key of its own, to be mounted as the key directory.

    It holds the key in clear: create it, and print it nowhere.
    """
    key_id, text = _new_key(now)
    data = {key_id: text, PRIMARY: key_id}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": {APP_LABEL: APP}},
        "type": "Opaque",
        "data": {entry: base64.b64encode(value.encode()).decode() for entry, value in data.items()},
    }


def _new_key(now: datetime) -> tuple[str, str]:
    """Return an id that sorts by its day, and the text of a key."""
    key_id = f"k-{now:%Y%m%d}-{secrets.token_hex(3)}"
    return key_id, base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(descriptor)  # a backup must never outlive its key


def _source(directory: Path) -> Path:
    data = directory / "..data"
    return data.resolve() if data.is_symlink() else directory


def _files(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.iterdir()):
        if not path.name.startswith(".") and not path.is_dir():
            yield path


def _fingerprint(directory: Path) -> object:
    """Return a value that differs when any file was written or exchanged."""
    source = _source(directory)
    state: list[object] = [source]
    with suppress(OSError):
        for path in _files(source):
            status = path.stat()
            state.append((path.name, status.st_ino, status.st_mtime_ns, status.st_size))
    return state


def _text(path: Path) -> str:
    with path.open("rb") as file:
        raw = file.read(_MAX_FILE_BYTES)
    return raw.decode("ascii", errors="replace").strip()


def _key(path: Path) -> bytes:
    if not is_key_id(path.name):
        raise KeysUnusable(
            f"{path}: {path.name!a} cannot be the id of a key; use letters, digits, '-', '_' "
            "and '.', at most 63"
        )
    try:
        key = base64.b64decode(_text(path), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise KeysUnusable(
            f"{path} is not the base64 text of {KEY_BYTES} bytes; restore it from your copy, or "
            "remove it if no backup names it"
        )
    return key


def _advice(directory: Path, fault: OSError) -> str:
    return (
        f"{fault.filename or directory} cannot be read: {fault.strerror}; mount the Secret of "
        f"`rso keygen` at {directory}, readable for the operator's user"
    )
