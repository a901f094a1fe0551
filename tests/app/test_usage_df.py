"""What `df` prints, in every dialect, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rso.app.usage.df import Blocks, parse_blocks, parse_inodes
from rso.app.usage.source import Fault, Trouble

KIB = 1024
COREUTILS = (
    "Filesystem     1024-blocks  Used Available Capacity Mounted on\n"
    "/dev/loop0          241664 18916    222748       8% /data\n"
)
BUSYBOX = (
    "Filesystem           1024-blocks    Used Available Capacity Mounted on\n"
    "/dev/loop0              241664     18916    222748   8% /data\n"
)
GERMAN = (
    "Dateisystem    1024-Blöcke Benutzt Verfügbar Kapazität Eingehängt auf\n"
    "/dev/loop0          241664   18916    222748        8% /data\n"
)
NOT_POSIX = (
    "Filesystem     1K-blocks  Used Available Use% Mounted on\n"
    "/dev/loop0        241664 18916    222748   8% /data\n"
)
BYTES = (
    "Filesystem      1-blocks     Used Available Capacity Mounted on\r\n"
    "/dev/loop0     247463936 19369984 228093952       8% /data\r\n"
)
SPACES = (
    "Filesystem 1024-blocks Used Available Capacity Mounted on\n"
    "//server/my share 241664 18916 222748 8% /data\n"
)
HEADER = "Filesystem 1024-blocks Used Available Capacity Mounted on\n"
INODES = "Filesystem Inodes IUsed IFree IUse% Mounted on\n"
EXPECTED = Blocks(241664 * KIB, 18916 * KIB, 222748 * KIB)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(COREUTILS, id="coreutils"),
        pytest.param(BUSYBOX, id="busybox"),
        pytest.param(GERMAN, id="another language"),
        pytest.param(NOT_POSIX, id="without -P"),
        pytest.param(BYTES, id="in bytes, with carriage returns"),
        pytest.param(SPACES, id="a device with spaces"),
    ],
)
def test_every_dialect_says_the_same(text: str) -> None:
    """Units come from the header; the language does not matter."""
    assert EXPECTED == parse_blocks(text, "/data")


def test_a_reserve_in_use_is_below_zero() -> None:
    """Root may write into the reserve of ext4: less than nothing is left for others."""
    found = parse_blocks(HEADER + "/dev/a 100 99 -4 105% /data\n", "/data")

    assert Blocks(100 * KIB, 99 * KIB, -4 * KIB) == found


@pytest.mark.parametrize(
    ("path", "mount"), [("/data/", "/data"), ("/my data", "/my data"), ("/a/b", "/a/b")]
)
def test_a_mount_point_is_a_path(path: str, mount: str) -> None:
    """A slash at the end makes no difference; spaces are a part of it."""
    assert parse_blocks(f"{HEADER}/dev/a 3 1 2 34% {mount}\n", path)


@pytest.mark.parametrize(
    ("path", "mount"),
    [
        pytest.param("/data", "/", id="nothing is mounted"),
        pytest.param("/", "/", id="the container's own root"),
        pytest.param("/data", "/dat", id="another path"),
        pytest.param("/data", "/data 1 2 3 4% /data", id="a mount point with figures"),
    ],
)
def test_another_file_system_is_not_the_claims(path: str, mount: str) -> None:
    """The node's disk must never be taken for the volume."""
    with pytest.raises(Trouble) as trouble:
        parse_blocks(f"{HEADER}/dev/a 3 1 2 34% {mount}\n", path)

    assert Fault.FOREIGN == trouble.value.fault


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(HEADER, id="no line"),
        pytest.param(COREUTILS + "/dev/b 1 1 1 1% /data\n", id="two lines"),
        pytest.param(HEADER + "/dev/a - - - - /data\n", id="unknown amounts"),
        pytest.param(HEADER + "/dev/a 1.5M 1 1 1% /data\n", id="for people"),
        pytest.param(HEADER + "/dev/a 3 -1 2 34% /data\n", id="less than nothing used"),
        pytest.param(HEADER + f"/dev/a {'9' * 30} 1 2 34% /data\n", id="too many figures"),
        pytest.param(HEADER + "/dev/a \u0663 1 2 34% /data\n", id="figures of another script"),
        pytest.param("Filesystem Size Used Avail Use% Mounted on\n/dev/a 3 1 2 3% /data", id="-h"),
        pytest.param(INODES + "/dev/a 3 1 2 34% /data\n", id="inodes"),
        pytest.param("df: /data: No such file or directory\n", id="an error"),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """No guesses: it is malformed."""
    with pytest.raises(Trouble) as trouble:
        parse_blocks(text, "/data")

    assert Fault.MALFORMED == trouble.value.fault


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("/dev/a 153600 4 153596 0% /data", (153600, 4), id="xfs"),
        pytest.param("/dev/a 0 0 0 - /data", None, id="btrfs"),
        pytest.param("/dev/a 0 0 0 0% /data", None, id="btrfs, busybox"),
        pytest.param("/dev/a - - - - /data", None, id="not known"),
    ],
)
def test_inodes_are_counted_or_unknown(line: str, expected: tuple[float, float] | None) -> None:
    """A file system without inodes is never full of them."""
    assert expected == parse_inodes(f"{INODES}{line}\n", "/data")


def test_blocks_are_no_inodes() -> None:
    """A `df` that does not know -i may print blocks."""
    with pytest.raises(Trouble, match="no inodes"):
        parse_inodes(COREUTILS, "/data")


WORDS = st.text(max_size=20) | st.sampled_from(["9", "-", "%", " ", "\n", "/data", "1024-blocks"])


@given(st.lists(WORDS).map(" ".join) | WORDS.map(lambda word: HEADER + word))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever a Pod prints, nothing else is raised."""
    for parse in (parse_blocks, parse_inodes):
        try:
            parse(text, "/data")
        except Trouble as trouble:
            assert trouble.fault in (Fault.MALFORMED, Fault.FOREIGN)  # noqa: PT017  or fine


@given(
    st.integers(0, 2**63),
    st.integers(0, 2**63),
    st.integers(-(2**40), 2**63),
    st.from_regex(r"/[!-~]{1,20}", fullmatch=True).filter(lambda path: path.rstrip("/")),
    st.sampled_from([1, 512, 1024]),
)
def test_what_df_printed_is_what_is_read(
    total: int, used: int, free: int, path: str, unit: int
) -> None:
    """Any amounts in any unit at any path come back as they are."""
    header = f"Filesystem {unit}-blocks Used Available Capacity Mounted on\n"
    text = f"{header}/dev/a {total} {used} {free} 7% {path.rstrip('/')}\n"

    found = parse_blocks(text, path)

    assert Blocks(float(total) * unit, float(used) * unit, float(free) * unit) == found
