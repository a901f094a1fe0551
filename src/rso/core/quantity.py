"""Kubernetes quantities, exactly.

Two rules over one grammar. `read` takes what the cluster holds and understands it as the API
server does, oddities included. `size` takes what people write and accepts only what has one
plain meaning. What `size` accepts, Kubernetes accepts too, as the same number of bytes.

Amounts are `Fraction`: compare and add them as numbers, never the texts, since Kubernetes keeps
many spellings as they were given. docs/decisions/0004 gives the reasons.
"""

import re
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor

import msgspec

MAX_BYTES = 2**63 - 1  # Quantity.Value() is a signed 64-bit integer
MAX_READ_CHARACTERS = 1024  # bounds the work; the API server itself sets no limit
MAX_SIZE_CHARACTERS = 64  # a size of 19 digits with a fraction still fits
MAX_READ_EXPONENT = 999  # huge ones mean other numbers, or none, to Kubernetes 1.37
MAX_SIZE_EXPONENT = 18  # 1E; 10^19 bytes are out of range

# Largest first: `format_bytes` takes the first that divides.
_BINARY = {"Ei": 2**60, "Pi": 2**50, "Ti": 2**40, "Gi": 2**30, "Mi": 2**20, "Ki": 2**10}
_SMALL = {"m": Fraction(1, 10**3), "u": Fraction(1, 10**6), "n": Fraction(1, 10**9)}
_DECIMAL = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}
_FACTORS = {name: Fraction(factor) for name, factor in (_DECIMAL | _BINARY).items()} | _SMALL

# The only step below a byte that Kubernetes keeps: nine decimal places, rounded away from zero.
_PLACES = 9
_NANO = 10**_PLACES

# Sizes repeat: thousands of claims have a few of them, and are read at each look.
_REMEMBERED = 4096

# Each part can match in one way only, so the time is linear in the length (T14).
_GRAMMAR = re.compile(
    r"(?P<sign>[+-]?)(?P<whole>[0-9]*)(?P<dot>\.?)(?P<decimals>[0-9]*)"
    r"(?:[eE](?P<exponent>[+-]?[0-9]+)|(?P<suffix>[KMGTPE]i|[numkMGTPE])?)",
    re.ASCII,
)

_HOW = "write a whole or decimal number and a unit, for example 10Gi, 1.5Ti or 500G"
_SENTENCES = {
    "empty": f"it is empty; {_HOW}",
    "too_long": "it is too long",
    "syntax": f"it is not a size; {_HOW} (units: Ki Mi Gi Ti Pi Ei, k M G T P E)",
    "sign": "it has a sign; write the number without + or -",
    "dot": "a digit is missing beside the dot; write 0.5Gi, not .5Gi",
    "small_suffix": "m, u and n are parts of a byte; did you mean Mi?",
    "exponent": "its exponent is out of bounds; write a unit instead, for example 10Gi",
    "zero": "it is zero",
    "range": f"it is more than {MAX_BYTES} bytes, the most that Kubernetes can count",
}


class InvalidQuantity(ValueError):
    """A text that is no quantity, or none that may be used here. Its text is for people.

    `reason` is one word: empty, too_long, syntax, sign, dot, small_suffix, exponent, zero, range.
    """

    def __init__(self, text: str, reason: str) -> None:
        self.reason = reason
        shown = ascii(text[:MAX_SIZE_CHARACTERS])
        super().__init__(f"{shown} cannot be used: {_SENTENCES[reason]}")


class Size(msgspec.Struct, frozen=True):
    """A size that a person wrote: whole bytes, above zero, and what to write into a claim."""

    bytes: int
    text: str


def read(text: str) -> Fraction:
    """Return the exact amount that Kubernetes holds for a quantity, which may be negative.

    Units: bytes, where the quantity is storage; a multiple of 10^-9.
    Raises: InvalidQuantity, for what Kubernetes refuses, for more than 1,024 characters and for
    an exponent of more than three digits; asking again does not help.
    Source: ParseQuantity of k8s.io/apimachinery v0.37.2.
    """
    if len(text) > MAX_READ_CHARACTERS:
        raise InvalidQuantity(text, "too_long")
    parts = _match(text)
    exponent = int(parts["exponent"] or "0")
    _check_exponent(text, exponent)
    # Kubernetes takes a missing number for 0, but only while it calculates with 64 bits.
    if not _has_digits(parts) and (exponent < -_PLACES or parts["suffix"] in {"Pi", "Ei"}):
        raise InvalidQuantity(text, "syntax")
    amount = Fraction(_away_from_zero(_amount(parts) * _NANO), _NANO)
    if parts["suffix"] in _BINARY:
        return max(min(amount, Fraction(MAX_BYTES)), Fraction(-MAX_BYTES))
    return amount


def round_up(amount: Fraction) -> int:
    """Return the whole bytes that cover an amount; below zero, away from zero.

    Source: `Quantity.Value` of Kubernetes rounds the same way; its overflow is not copied.
    """
    return _away_from_zero(amount)


@lru_cache(_REMEMBERED)
def read_bytes(text: str) -> int:
    """Return the whole bytes of a quantity in the cluster, rounded up.

    Raises: InvalidQuantity, as `read`.
    """
    return round_up(read(text))


@lru_cache(_REMEMBERED)
def size(text: str) -> Size:
    """Return the size that a person asks for.

    Units: bytes, from 1 to 2^63-1; a fraction of a byte is rounded up.
    Raises: InvalidQuantity, for all that could be meant in another way; its text says how to
    write it.
    """
    if not text:
        raise InvalidQuantity(text, "empty")
    if len(text) > MAX_SIZE_CHARACTERS:
        raise InvalidQuantity(text, "too_long")
    parts = _match(text)
    fault = _fault(parts)
    if fault:
        raise InvalidQuantity(text, fault)
    amount = _amount(parts)
    whole = _bounded(text, amount)
    return Size(whole, text if amount == whole else format_bytes(whole))


def format_bytes(count: int) -> str:
    """Return whole bytes with the largest binary unit that is exact, else as plain digits.

    Units: `count` in bytes, 0 or more.
    """
    exact = (unit for unit, factor in _BINARY.items() if count and count % factor == 0)
    unit = next(exact, "")
    return f"{count // _BINARY.get(unit, 1)}{unit}"


def _match(text: str) -> re.Match[str]:
    parts = _GRAMMAR.fullmatch(text)
    # The empty text is the one match of the grammar that Kubernetes refuses.
    if parts is None or not text:
        raise InvalidQuantity(text, "syntax")
    return parts


def _check_exponent(text: str, exponent: int) -> None:
    if abs(exponent) <= MAX_READ_EXPONENT:
        return
    is_parsed = -(2**63) <= exponent < 2**63  # strconv.ParseInt refuses the others
    raise InvalidQuantity(text, "exponent" if is_parsed else "syntax")


def _amount(parts: re.Match[str]) -> Fraction:
    digits = int(f"0{parts['whole']}{parts['decimals']}")
    factor = _FACTORS[parts["suffix"] or ""] * Fraction(10) ** int(parts["exponent"] or "0")
    amount = Fraction(digits, 10 ** len(parts["decimals"])) * factor
    return -amount if parts["sign"] == "-" else amount


def _fault(parts: re.Match[str]) -> str:
    """Return why a person may not write this, though Kubernetes takes it; empty if they may."""
    exponent = parts["exponent"] or ""
    faults = {
        "syntax": not _has_digits(parts),
        "sign": parts["sign"] != "",
        "dot": not parts["whole"] or (parts["dot"] != "" and not parts["decimals"]),
        "small_suffix": parts["suffix"] in _SMALL,
        "exponent": bool(exponent) and not _is_plain_exponent(exponent),
    }
    return next((reason for reason, found in faults.items() if found), "")


def _has_digits(parts: re.Match[str]) -> bool:
    return bool(parts["whole"] or parts["decimals"])


def _is_plain_exponent(exponent: str) -> bool:
    # Two digits first, so that no huge number is built.
    return exponent.isdigit() and len(exponent) <= len("18") and int(exponent) <= MAX_SIZE_EXPONENT


def _bounded(text: str, amount: Fraction) -> int:
    if amount == 0:
        raise InvalidQuantity(text, "zero")
    whole = round_up(amount)
    if whole > MAX_BYTES:
        raise InvalidQuantity(text, "range")
    return whole


def _away_from_zero(amount: Fraction) -> int:
    return ceil(amount) if amount > 0 else floor(amount)
