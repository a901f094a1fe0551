"""What an object is on the wire: its resource, and how it is decoded."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from rso.kube import errors
from rso.kube.errors import Undecodable
from rso.kube.transport import Resource

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """A resource and how its objects are decoded.

    ``decode`` raises msgspec.ValidationError, msgspec.DecodeError or ValueError.
    """

    resource: Resource
    decode: Callable[[bytes], T]


def raw(resource: Resource) -> Kind[dict[str, Any]]:
    """Return the kind whose objects are plain mappings, complete."""
    return Kind(resource, msgspec.json.Decoder(dict[str, Any]).decode)


@dataclass(frozen=True, slots=True)
class Identity:
    """Which object it is, of one that cannot be decoded otherwise."""

    namespace: str
    name: str
    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A complete list as of ``resource_version``.

    ``date`` is the server's time of the first page: nothing in the list is younger.
    ``undecodable`` counts the objects left out; ``skipped`` names them: they exist.
    """

    items: tuple[T, ...]
    resource_version: str
    date: datetime | None = None
    undecodable: int = 0
    skipped: tuple[Identity, ...] = ()


class ListMeta(msgspec.Struct, rename="camel"):
    """Where a list stands; ``continue_`` is empty on the last page."""

    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class Page(msgspec.Struct):
    """A page of a list; the objects are not decoded yet."""

    metadata: ListMeta
    items: list[msgspec.Raw] | None = None


class _Identified(msgspec.Struct):
    class Metadata(msgspec.Struct, rename="camel"):
        name: str = ""  # a bookmark has none
        namespace: str = ""
        uid: str = ""
        resource_version: str = ""

    metadata: Metadata


def decode(kind: Kind[T], body: bytes | msgspec.Raw) -> T:
    """Return the object in a body.

    Raises: Undecodable; the text names the field, not its value.
    """
    try:
        return kind.decode(bytes(body))
    except (msgspec.DecodeError, ValueError) as error:
        raise Undecodable(f"{kind.resource.plural}: {errors.printable(str(error))}") from error


def identity(body: bytes | msgspec.Raw) -> Identity:
    """Return which object a body is, as far as it says; a bookmark has only a version."""
    try:
        found = msgspec.json.decode(body, type=_Identified).metadata
    except (msgspec.DecodeError, ValueError):
        return Identity("", "", "", "")
    return Identity(found.namespace, found.name, found.uid, found.resource_version)


def decode_page(kind: Kind[T], body: bytes) -> Page:
    """Return a page of a list of this kind.

    Raises: Undecodable.
    """
    try:
        return msgspec.json.decode(body, type=Page)
    except (msgspec.DecodeError, ValueError) as error:
        raise Undecodable(f"{kind.resource.plural}: {errors.printable(str(error))}") from error
