"""What `df` prints, read strictly. Pure: text in, amounts out.

Asked with `-P`, it prints a header and one line for the path, in every `df` there is: of POSIX,
coreutils, busybox and toybox. The header tells the unit; its other words depend on the language.
The last column must be the very path that was asked for: at a path where nothing is mounted, `df`
tells of what lies below, which is the node's disk.
Source: POSIX.1-2024, `df`, section STDOUT.
"""

import re

import msgspec

from rso.app.usage.source import Fault, Trouble

BLOCKS = ("df", "-P", "-k")
INODES = ("df", "-P", "-i")
_UNITS = re.compile(r"\S+\s+([0-9]{1,9}|1K)-\S+\s")
_COUNTS = re.compile(r"\S+\s+[^\d\s]")
_AMOUNT = r"[0-9]{1,20}|-"
_LINE = re.compile(
    rf"\S.*?\s+({_AMOUNT})\s+({_AMOUNT})\s+(-?[0-9]{{1,20}}|-)\s+(?:[0-9]{{1,3}}%|-)\s+(/.*)"
)


class Blocks(msgspec.Struct, frozen=True):
    """The amounts of a file system; available may be below zero, when the reserve is in use."""

    capacity_bytes: float
    used_bytes: float
    available_bytes: float


def parse_blocks(text: str, path: str) -> Blocks:
    """Return the amounts of the file system that is mounted at a path.

    Raises: Trouble.
    """
    header, line = _lines(text)
    unit = _UNITS.match(header)
    if unit is None:
        raise Trouble(Fault.MALFORMED, f"df prints no unit: {header!a}")
    size = 1024 if unit[1] == "1K" else int(unit[1])
    total, used, free = (_number(each) for each in _columns(line, path))
    if total is None or used is None or free is None:
        raise Trouble(Fault.MALFORMED, f"df does not know: {line!a}")
    return Blocks(total * size, used * size, free * size)


def parse_inodes(text: str, path: str) -> tuple[float, float] | None:
    """Return all and used inodes of the file system at a path; None where there are none.

    Raises: Trouble.
    """
    header, line = _lines(text)
    if _COUNTS.match(header) is None:
        raise Trouble(Fault.MALFORMED, f"df prints no inodes: {header!a}")
    total, used, _ = (_number(each) for each in _columns(line, path))
    return None if not total or used is None else (total, used)


def _lines(text: str) -> tuple[str, str]:
    lines = text.strip("\r\n").splitlines()
    if len(lines) != 2:  # noqa: PLR2004  a header and a line
        raise Trouble(Fault.MALFORMED, f"df prints {len(lines)} lines: {text[:100]!a}")
    return lines[0], lines[1]


def _columns(line: str, path: str) -> tuple[str, str, str]:
    found = _LINE.fullmatch(line.rstrip())
    if found is None:
        raise Trouble(Fault.MALFORMED, f"this is no line of df: {line[:100]!a}")
    total, used, free, mount = found.groups()
    if mount != path.rstrip("/") or mount == "/":
        raise Trouble(Fault.FOREIGN, f"{path} is no mount point; df tells of {mount}")
    return total, used, free


def _number(text: str) -> float | None:
    return None if text == "-" else float(text)
