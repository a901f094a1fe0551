"""Targets about what is read back from the cluster: names, objects, watches, backups."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from fuzz import words
from fuzz.choices import Choices
from rso.app import mounts, resources
from rso.app.backup import (
    BackupUnreadable,
    Header,
    Keys,
    config_map,
    envelope_of,
    header_of,
    open_,
    seal,
)
from rso.core import selector
from rso.kube import errors
from rso.kube.errors import KubeError, Undecodable
from rso.kube.kinds import Kind, decode, identity
from rso.kube.lines import lines

KEYS = Keys("one", {"one": bytes(range(32))})
HEADER = Header("cluster", "shop", "db", "uid-1", 3, "1000", "a1")
CONTENT = {"spec": {"replicas": 3}, "metadata": {"name": "db"}}
SEALED = seal(KEYS, HEADER, CONTENT)
_KINDS: tuple[Kind[Any], ...] = (
    resources.STATEFULSETS,
    resources.CLAIMS,
    resources.PODS,
    mounts.MOUNTING_PODS,
)


def claim_names(choices: Choices) -> None:
    """A claim's name gives back its set among the possible owners, and owners give the name."""
    template, name = choices.pick(words.NAMES) or "t", choices.pick(words.NAMES) or "s"
    claim = selector.claim_name(template, name, choices.count(10_000))
    assert name in selector.possible_owners(claim)
    other = choices.pick(words.NAMES) + choices.text() + choices.pick(("-0", "-01", "-7", ""))
    for owner in selector.possible_owners(other):
        stem, ordinal = selector.split_ordinal(other) or ("", 0)
        assert stem.endswith(f"-{owner}")
        assert other == f"{stem}-{ordinal}"


def backup_headers(choices: Choices) -> None:
    """A header is believed only under the name that is its hash; what is no base64 is damaged."""
    data = dict(config_map(HEADER, SEALED)["data"])
    if choices.count(3):
        data["header"] = _edited(choices, data["header"].encode()).decode(errors="replace")
    else:
        data = {choices.pick(("header", "x")): choices.text()}
    name = choices.pick((HEADER.backup_name, "srb-0", ""))
    try:
        assert header_of(name, data).backup_name == name
        envelope_of(name, {"backup": choices.text()})
    except BackupUnreadable:
        return


def backup_envelopes(choices: Choices) -> None:
    """Only what was sealed opens, whole and for its own set."""
    envelope = _edited(choices, SEALED) if choices.count(7) else choices.blob()
    header = HEADER if choices.count(3) else msgspec.structs.replace(HEADER, name=choices.text())
    try:
        opened = open_(KEYS, header, envelope)
    except BackupUnreadable:
        return
    assert (envelope, header) == (SEALED, HEADER)
    assert opened == CONTENT


def watch_lines(choices: Choices) -> None:
    """Lines are the same however the stream was cut into chunks."""
    cuts = [choices.count(40) for _ in range(choices.count(8))]
    body = choices.blob()
    parts, at = [], 0
    for cut in cuts:
        parts.append(body[at : at + cut])
        at += cut
    parts.append(body[at:])
    assert asyncio.run(_lines(parts)) == asyncio.run(_lines([body]))


async def _lines(parts: list[bytes]) -> list[bytes]:
    async def chunks() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    return [line async for line in lines(chunks())]


def objects(choices: Choices) -> None:
    """An object is decoded or undecodable, and an error of a watch is one of ours."""
    body = words.statefulset(choices) if choices.count(1) else None
    kind = choices.pick(_KINDS)
    text = choices.blob() if body is None else msgspec.json.encode(body)
    assert isinstance(identity(text).name, str)
    assert isinstance(errors.from_event(text), KubeError)
    try:
        decode(kind, text)
    except Undecodable as error:
        assert str(error).isprintable()  # noqa: PT017  the property is about the error's words


def _edited(choices: Choices, body: bytes) -> bytes:
    """Return bytes of which some are changed, cut off or added."""
    changed = bytearray(body)
    for _ in range(choices.count(3)):
        at = choices.count(len(changed) - 1) if changed else 0
        changed[at : at + choices.count(2)] = bytes([choices.count(255)]) * choices.count(2)
    return bytes(changed)
