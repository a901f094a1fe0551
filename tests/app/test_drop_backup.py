"""Dropping a backup whose set may still be hit by a delete that is on its way."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from rso.app.execute import Executor, Tools
from rso.app.expect import Expectations
from rso.core.actions import DropBackup
from rso.core.names import STATUS, Note, Phase
from rso.core.world import Backup, World
from rso.kube.client import Client
from rso.kube.clock import SystemClock
from rso.kube.transport import Request, Response
from tests.factories import backup, whole_set, world

if TYPE_CHECKING:
    from rso.app.view import View


class Answering:
    """A transport that accepts everything and remembers it."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        body = {"metadata": {"name": request.name, "uid": "uid-1", "resourceVersion": "7"}}
        return Response(200, {}, json.dumps(body).encode())

    @asynccontextmanager
    async def stream(self, _: Request) -> AsyncIterator[AsyncIterator[bytes]]:
        yield _nothing()

    async def close(self) -> None:
        raise NotImplementedError


async def _nothing() -> AsyncIterator[bytes]:
    none: tuple[bytes, ...] = ()
    for each in none:
        yield each


def executor(transport: Answering, made: Backup) -> Executor:
    """Return an executor whose view holds one backup."""
    quiet = SimpleNamespace(info=lambda *_, **__: None)
    view = cast("View", SimpleNamespace(backup=lambda _: made))
    clock = SystemClock()
    tools = SimpleNamespace(
        client=Client(transport, clock=clock, field_manager="test"),
        view=view,
        sealer=SimpleNamespace(namespace="rso-system"),
        expectations=Expectations(clock, view),
        notices=SimpleNamespace(about=lambda *_, **__: quiet),
    )
    return Executor(cast("Tools", tools))


@pytest.mark.parametrize("status", ["Growing: data=20Gi", ""])
async def test_a_set_is_changed_before_its_labelled_backup_goes(status: str) -> None:
    """A late delete carries the version that was compared, and misses a set that has changed."""
    transport, made = Answering(), backup(phase=Phase.DELETING)
    live = whole_set({"status": status} if status else {})
    step = DropBackup(made.name, Note.BACKUP_DROPPED, "the recreate does not go on")

    await executor(transport, made).drop_backup(world(live, backups=(made,)), step)

    verbs = [(each.verb, each.resource.plural) for each in transport.requests]
    assert [("patch", "statefulsets"), ("delete", "configmaps")] == verbs
    written = _annotations(transport.requests[0])[STATUS]
    assert (None if status else "Growing") == written


async def test_a_backup_without_a_label_goes_at_once() -> None:
    """Before the label no delete was ever sent, so the set is left alone."""
    transport, made = Answering(), backup()
    start: World = world(whole_set({"status": "Growing: data=20Gi"}), backups=(made,))
    step = DropBackup(made.name, Note.BACKUP_DROPPED, "the recreate does not go on")

    await executor(transport, made).drop_backup(start, step)

    assert ["delete"] == [each.verb for each in transport.requests]


def _annotations(request: Request) -> dict[str, Any]:
    assert request.body is not None
    return cast("dict[str, Any]", json.loads(request.body)["metadata"]["annotations"])
