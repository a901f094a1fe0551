"""Keys are found as a Secret is mounted, noticed when they change, and never overwritten."""

import base64
import hashlib
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rso.app.backup import Header, Keys, open_, seal
from rso.app.keys import KeyRing, KeysUnusable, generate, load_keys, secret_manifest

OLD_KEY, NEW_KEY = (hashlib.sha256(seed).digest() for seed in (b"test", b"test 2"))
NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


def write(directory: Path, **files: str | bytes) -> Path:
    """Write key files; bytes become their base64 text."""
    directory.mkdir(exist_ok=True)
    for name, content in files.items():
        text = base64.b64encode(content).decode() if isinstance(content, bytes) else content
        (directory / name).write_text(text, encoding="utf-8")
    return directory


def mount(directory: Path, generation: str, **files: str | bytes) -> Path:
    """Mount files as the kubelet does: a new directory, and one rename of a link to it."""
    write(directory)
    write(directory / f"..{generation}", **files)
    link = directory / "..new"
    link.symlink_to(f"..{generation}")
    link.rename(directory / "..data")
    for name in files:
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(f"..data/{name}")
    return directory


def test_a_mounted_secret_is_read(tmp_path: Path) -> None:
    """All keys of a Secret are there; the links of the mount are no keys."""
    directory = mount(tmp_path / "keys", "1", k1=OLD_KEY, k2=NEW_KEY, primary="k2\n")
    (directory / "lost+found").mkdir()

    assert Keys("k2", {"k1": OLD_KEY, "k2": NEW_KEY}) == load_keys(directory)


@pytest.mark.parametrize(
    ("files", "why"),
    [
        pytest.param({"k1": OLD_KEY}, r"primary cannot be read: .*rso keygen", id="no primary"),
        pytest.param(
            {"k1": OLD_KEY, "primary": "k2"}, r"names the key k2 .* k1$", id="another primary"
        ),
        pytest.param({"primary": "k1"}, r"names the key k1 .* none is there", id="no key"),
        pytest.param({"primary": OLD_KEY}, r"names no key of", id="a key for an id"),
        pytest.param({"k1": OLD_KEY[1:], "primary": "k1"}, r"k1 is not the base64", id="short"),
        pytest.param({"k1": "f" * 45, "primary": "k1"}, r"k1 is not the base64", id="no base64"),
        pytest.param({"k1": "é", "primary": "k1"}, r"k1 is not the base64", id="no text"),
        pytest.param({"k1": "A" * 5000, "primary": "k1"}, r"k1 is not the base64", id="long"),
        pytest.param(
            {"k 1": OLD_KEY, "primary": "k 1"}, r"'k 1' cannot be the id", id="unusable id"
        ),
    ],
)
def test_unusable_keys_are_explained(
    tmp_path: Path, files: dict[str, str | bytes], why: str
) -> None:
    """A directory that cannot seal is refused by a sentence with the file and what to do."""
    with pytest.raises(KeysUnusable, match=why):
        load_keys(write(tmp_path / "keys", **files))


def test_a_missing_directory_is_explained(tmp_path: Path) -> None:
    """Without a directory the sentence says how to get one."""
    with pytest.raises(KeysUnusable, match=r"keys cannot be read: .*rso keygen"):
        load_keys(tmp_path / "keys")


def test_a_rotation_is_noticed(tmp_path: Path) -> None:
    """After the Secret was exchanged, the next look gives the keys of the new one."""
    directory = mount(tmp_path / "keys", "1", k1=OLD_KEY, primary="k1")
    ring = KeyRing(directory)
    before = ring.current()
    mount(directory, "2", k1=OLD_KEY, k2=NEW_KEY, primary="k2")

    assert Keys("k1", {"k1": OLD_KEY}) == before
    assert Keys("k2", {"k1": OLD_KEY, "k2": NEW_KEY}) == ring.current()
    assert ring.current() is ring.current()


def test_keys_may_come_later(tmp_path: Path) -> None:
    """A ring without keys says why, and has them as soon as they are there."""
    ring = KeyRing(tmp_path / "keys")

    assert ring.current() is None
    assert ring.for_opening() is None
    assert "cannot be read" in ring.problem
    write(tmp_path / "keys", k1=OLD_KEY, primary="k1")
    assert Keys("k1", {"k1": OLD_KEY}) == ring.current()
    assert ring.problem == ""


def test_a_broken_secret_still_opens_backups(tmp_path: Path) -> None:
    """Keys that break under way seal no more, but what they sealed can be opened."""
    directory = write(tmp_path / "keys", k1=OLD_KEY, primary="k1")
    ring = KeyRing(directory)
    ring.current()
    (directory / "primary").unlink()

    assert ring.current() is None
    assert Keys("k1", {"k1": OLD_KEY}) == ring.for_opening()


def test_a_key_removed_too_early_still_opens(tmp_path: Path) -> None:
    """A key that leaves the Secret seals no more, but this process can open with it to its end."""
    directory = mount(tmp_path / "keys", "1", k1=OLD_KEY, primary="k1")
    ring = KeyRing(directory)
    ring.current()
    mount(directory, "2", k2=NEW_KEY, primary="k2")

    assert Keys("k2", {"k2": NEW_KEY}) == ring.current()
    assert Keys("k2", {"k1": OLD_KEY, "k2": NEW_KEY}) == ring.for_opening()


def test_a_generated_key_is_usable_and_private(tmp_path: Path) -> None:
    """A new directory holds one key that seals, and only its owner can read it."""
    directory = tmp_path / "deep" / "keys"
    key_id = generate(directory, NOW)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}

    assert key_id.startswith("k-20261124-")
    assert key_id == load_keys(directory).primary
    assert {0o600} == modes
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    """Generating into a directory with any key is refused and changes nothing."""
    directory = write(tmp_path / "keys", k1=OLD_KEY)

    with pytest.raises(KeysUnusable, match="never overwritten"):
        generate(directory, NOW)
    assert [directory / "k1"] == list(directory.iterdir())


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Generating below a file is refused by a sentence that names it."""
    (tmp_path / "file").touch()

    with pytest.raises(KeysUnusable, match="file/keys cannot be written"):
        generate(tmp_path / "file" / "keys", NOW)


def test_a_generated_secret_is_usable_when_mounted(tmp_path: Path) -> None:
    """The Secret holds what the key directory must hold, and another key each time."""
    secret = secret_manifest("rso-keys", "rso-system", NOW)
    another = secret_manifest("rso-keys", "rso-system", NOW)
    files = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
    keys = load_keys(mount(tmp_path / "keys", "1", **files))
    header = Header("c", "ns", "db", "u", 1, "1", "1")

    content = {"pods": ["db-0"]}

    assert {"kind": "Secret", "type": "Opaque"}.items() <= secret.items()
    assert {"name": "rso-keys", "namespace": "rso-system"}.items() <= secret["metadata"].items()
    assert content == open_(keys, header, seal(keys, header, content))
    assert secret["data"] != another["data"]
