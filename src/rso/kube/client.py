"""Typed requests: errors decoded, reads repeated, writes never repeated blindly."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import msgspec

from rso.kube import errors
from rso.kube.backoff import Backoff
from rso.kube.clock import Clock
from rso.kube.errors import (
    ApiError,
    Gone,
    KubeError,
    MayNotWrite,
    ServerError,
    TooManyRequests,
    Undecodable,
    Unreachable,
)
from rso.kube.kinds import Identity, Kind, Listing, decode, decode_page, identity, raw
from rso.kube.transport import DRY_RUN, Request, Resource, Response, Transport

__all__ = ["Client", "Identity", "Kind", "Listing", "raw"]

T = TypeVar("T")

PAGE = 500  # objects; decoding one page blocks the event loop for about 6 ms
ATTEMPTS = 5  # of one request, within about 8 s without Retry-After
LISTS = 3  # restarts of a list whose continue token expired
LONGEST_RETRY_AFTER_SECONDS = 60.0  # a server may be wrong about its own future
MERGE_PATCH = "application/merge-patch+json"


class Client:
    """The requests that rso makes.

    ``may_write`` is asked before each write is sent, each time; dry runs pass. A client without
    it writes always: the Lease needs one.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        clock: Clock,
        field_manager: str,
        may_write: Callable[[], bool] | None = None,
    ) -> None:
        self.transport = transport
        self._clock = clock
        self._field_manager = field_manager
        self._may_write = may_write

    async def get(self, kind: Kind[T], namespace: str | None, name: str) -> T:
        """Return one object; repeated while the server is busy or away."""
        request = Request("get", kind.resource, namespace, name)
        return decode(kind, (await self._read(request)).body)

    async def list(
        self, kind: Kind[T], namespace: str | None = None, labels: str = ""
    ) -> Listing[T]:
        """Return every object, read in pages; starts again when the server forgot the list."""
        for _ in range(LISTS - 1):
            try:
                return await self._list(kind, namespace, labels)
            except Gone:
                continue
        return await self._list(kind, namespace, labels)

    async def create(
        self, kind: Kind[T], namespace: str | None, body: object, *, dry_run: bool = False
    ) -> T:
        """Create an object and return what the server made of it."""
        request = Request("create", kind.resource, namespace, _name(body), body=_encode(body))
        return decode(kind, (await self._write(request, dry_run=dry_run)).body)

    async def patch(
        self,
        kind: Kind[T],
        namespace: str | None,
        name: str,
        body: object,
        *,
        dry_run: bool = False,
        content_type: str = MERGE_PATCH,
    ) -> T:
        """Patch an object; put its resourceVersion into the body to get Conflict if it changed."""
        request = Request(
            "patch", kind.resource, namespace, name, body=_encode(body), content_type=content_type
        )
        return decode(kind, (await self._write(request, dry_run=dry_run)).body)

    async def replace(
        self,
        kind: Kind[T],
        namespace: str | None,
        name: str,
        body: object,
    ) -> T:
        """Replace a whole object; its resourceVersion stands in the body."""
        request = Request("update", kind.resource, namespace, name, body=_encode(body))
        return decode(kind, (await self._write(request)).body)

    async def delete(  # noqa: PLR0913  the preconditions belong to the request
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        uid: str,
        resource_version: str | None = None,
        propagation: str = "Background",
        dry_run: bool = False,
    ) -> None:
        """Delete exactly this object; dry: ask whether that would be accepted.

        Raises: Conflict, when the name belongs to another uid, or the version has changed.
        """
        preconditions = {"uid": uid}
        if resource_version is not None:
            preconditions["resourceVersion"] = resource_version
        options = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": propagation,
            "preconditions": preconditions,
            **({"dryRun": [DRY_RUN[1]]} if dry_run else {}),
        }
        request = Request("delete", resource, namespace, name, body=_encode(options))
        await self._write(request, dry_run=dry_run)

    async def evict(
        self, resource: Resource, namespace: str, name: str, *, uid: str, dry_run: bool = False
    ) -> None:
        """Evict exactly this Pod; dry: ask whether that would be accepted.

        Sent once: a 429 is what a PodDisruptionBudget answers, and it may last for hours.
        Raises: Conflict, when the name belongs to another uid.
        """
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": {
                "preconditions": {"uid": uid},
                **({"dryRun": [DRY_RUN[1]]} if dry_run else {}),
            },
        }
        query = (("fieldManager", self._field_manager), *((DRY_RUN,) if dry_run else ()))
        request = Request("create", resource, namespace, name, query=query, body=_encode(body))
        await self._send(request)

    async def _list(self, kind: Kind[T], namespace: str | None, labels: str) -> Listing[T]:
        items: list[T] = []
        skipped: list[Identity] = []
        undecodable, token, date = 0, "", None
        while True:
            query = _page_query(labels, token)
            answer = await self._read(Request("list", kind.resource, namespace, query=query))
            date = date or errors.http_date(answer.headers.get("Date", ""))
            page = decode_page(kind, answer.body)
            for item in page.items or ():
                try:
                    items.append(decode(kind, item))
                except Undecodable:
                    undecodable += 1
                    skipped.append(identity(item))
            token = page.metadata.continue_
            if not token:
                version = page.metadata.resource_version
                return Listing(tuple(items), version, date, undecodable, tuple(skipped))

    async def _read(self, request: Request) -> Response:
        return await self._repeat(request, (TooManyRequests, ServerError, Unreachable))

    async def _write(self, request: Request, *, dry_run: bool = False) -> Response:
        # A delete has no field manager. Its body says dryRun; the query says so to who looks on.
        manager = () if request.verb == "delete" else (("fieldManager", self._field_manager),)
        request = replace(request, query=(*manager, *((DRY_RUN,) if dry_run else ())))
        # 429 is refused before anything is done; after any other failure the caller looks first.
        return await self._repeat(request, (TooManyRequests,))

    async def _repeat(self, request: Request, passing: tuple[type[KubeError], ...]) -> Response:
        backoff = Backoff()
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._send(request)
            except passing as error:
                await self._clock.sleep(_delay(error, backoff))
        return await self._send(request)

    async def _send(self, request: Request) -> Response:
        if request.changes and self._may_write is not None and not self._may_write():
            raise MayNotWrite(f"{request.verb} {request.resource.plural}: not the leader")
        answer = await self.transport.send(request)
        if not 200 <= answer.status < 300:  # noqa: PLR2004  the class of the code is the meaning
            raise errors.from_answer(answer.status, answer.headers, answer.body)
        return answer


def _page_query(labels: str, token: str) -> tuple[tuple[str, str], ...]:
    query = [("limit", str(PAGE))]
    if labels:
        query.append(("labelSelector", labels))
    if token:
        query.append(("continue", token))
    return tuple(query)


def _delay(error: KubeError, backoff: Backoff) -> float:
    asked = error.retry_after_seconds if isinstance(error, ApiError) else None
    delay = backoff.next()
    return delay if asked is None else max(delay, min(asked, LONGEST_RETRY_AFTER_SECONDS))


def _name(body: object) -> str | None:
    metadata = body.get("metadata") if isinstance(body, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else None


def _encode(body: object) -> bytes:
    return body if isinstance(body, bytes) else msgspec.json.encode(body)
