"""`rso resize`: write a wish, and follow it to its end."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, nullcontext
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from rso.app.leader import LEASE, seems_stopped
from rso.app.overview import Overview, TemplateOverview
from rso.app.tools import Observer
from rso.app.wish import Vanished, fault_of, follow, glance, write_wish
from rso.cli.connection import Connection, connect
from rso.cli.exits import Failed, TimedOut
from rso.cli.flags import checked
from rso.cli.options import (
    bound_options,
    bounds_of,
    person_options,
)
from rso.cli.output import console, note, shown, table
from rso.cli.status import COLUMNS, rows
from rso.cli.wishes import annotated, annotations, by_index, wish_argument
from rso.core.model import StatefulSet
from rso.core.policy import Fault
from rso.core.times import duration_seconds
from rso.core.world import Key
from rso.kube.client import Client

FIELD_MANAGER = "rso"  # of a person's wish; the operator's own writes have another


@click.command("resize", short_help="Wish for bigger volumes and follow the work.")
@click.argument("name")
@wish_argument(required=True)
@click.option(
    "--timeout",
    "timeout_seconds",
    metavar="TIME",
    default="10m",
    show_default=True,
    callback=checked(duration_seconds),
    help="How long to follow, as 90s, 10m or 1h; 0 writes the wish and does not follow.",
)
@person_options()
@bound_options()
def command(**values: Any) -> None:  # noqa: ANN401  what click read
    """Wish for these sizes, then follow until every claim and the template have them.

    A template is named by its name or its index. The work is the operator's: it goes on when
    this command ends.
    """
    try:
        asyncio.run(_run(values))
    except KeyboardInterrupt:
        place = f" -n {values['namespace']}" if values["namespace"] else ""
        look = f"rso status {values['name']}{place}"
        note(f"a wish that is written stands, and the operator goes on; look with: {look}")
        raise


async def _run(values: Mapping[str, Any]) -> None:
    async with connect(values) as connection:
        key = Key(connection.namespace, values["name"])
        observer = connection.observer(
            bounds_of(values), cluster=await connection.cluster_id_if_known()
        )
        before = await glance(observer, key)
        if before is None:
            raise Failed(f"there is no StatefulSet {key}, and no backup says that it is away")
        if before.phase == "Absent":
            raise Failed(f"StatefulSet {key} is absent: {before.message}")
        if _is_done(observer, before, values):
            click.echo(f"{key} has these sizes already; there is nothing to do")
            return
        await _wish(connection, observer, key, values)
        try:
            await _follow(connection, observer, before, values["timeout_seconds"])
        except Vanished as fault:
            raise Failed(str(fault)) from None


def _is_done(observer: Observer, before: Overview, values: Mapping[str, Any]) -> bool:
    """Return whether the set has exactly these sizes and nothing is left to do.

    Raises: Failed, for a size that its template has outgrown, and for a wish out of bounds.
    """
    key = Key(before.namespace, before.name)
    statefulset = observer.view.statefulset(key)
    if statefulset is None:
        return False
    sizes = by_index(statefulset, values["wishes"])
    world = observer.gatherer.world(key, has_turn=True)
    wanted = fault_of(world, annotated(statefulset.metadata.annotations, sizes))
    if isinstance(wanted, Fault):
        raise Failed(f"{key} cannot have this: {wanted.reason}: {wanted.sentence}")
    for target in wanted:
        if target.index in sizes and sizes[target.index].bytes < target.current.bytes:
            raise Failed(
                f"{target.name} of {key} has {target.current.text} already, and volumes never "
                f"shrink; ask for more than {target.current.text}"
            )
    asked = (target for target in wanted if target.index in sizes)
    is_there = all(sizes[each.index].bytes == each.current.bytes for each in asked)
    return is_there and before.phase in ("Done", "Unmanaged")


async def _wish(
    connection: Connection, observer: Observer, key: Key, values: Mapping[str, Any]
) -> None:
    client = Client(connection.transport, clock=connection.clock, field_manager=FIELD_MANAGER)

    def wished(statefulset: StatefulSet) -> dict[str, str]:
        return annotations(by_index(statefulset, values["wishes"]))

    try:
        await write_wish(client, observer, key, wished)
    except Vanished as fault:
        raise Failed(str(fault)) from None
    said = ", ".join(f"{name}={size.text}" for name, size in values["wishes"].items())
    click.echo(f"{key} wishes for {said}")
    namespace = connection.operator_namespace
    if await seems_stopped(connection.client, connection.clock, namespace):
        note(
            f"no operator seems to run: nobody holds the Lease {namespace}/{LEASE}; the wish "
            "waits until one does"
        )


async def _follow(
    connection: Connection, observer: Observer, before: Overview, timeout_seconds: float
) -> None:
    if not timeout_seconds:
        return
    key = Key(before.namespace, before.name)
    began = connection.clock.monotonic()
    try:
        async with (
            asyncio.timeout(timeout_seconds),
            aclosing(follow(observer, key, before)) as looks,
        ):
            end = await _draw(looks, before)
    except TimeoutError:
        raise TimedOut(
            f"{key} is not finished after {timeout_seconds:.0f} s; an operator that runs goes on; "
            f"look with: rso status {key.name} -n {key.namespace}"
        ) from None
    if end.phase == "Blocked":
        raise Failed(f"{key} is blocked: {end.reason}: {shown(end.message)}")
    click.echo(f"{key} is done after {connection.clock.monotonic() - began:.0f} s")


async def _until_ended(looks: AsyncIterator[Overview]) -> AsyncIterator[Overview]:
    async for each in looks:
        yield each
        if each.phase in ("Done", "Blocked"):
            return


async def _draw(looks: AsyncIterator[Overview], before: Overview) -> Overview:
    """Show each look until the work has ended, and return the last."""
    screen = console()
    last, line = before, ""
    with Live(console=screen) if screen.is_terminal else nullcontext() as live:
        async for last in _until_ended(looks):
            if live is not None:
                live.update(_drawing(last))
            elif _line(last) != line:
                line = _line(last)
                click.echo(line)
    return last


def _drawing(found: Overview) -> RenderableType:
    sentence = [Text(f"{found.reason}: {shown(found.message)}")] if found.message else []
    return Group(table(COLUMNS, rows(found)), *sentence)


def _line(found: Overview) -> str:
    progress = "; ".join(map(_progress, found.templates))
    sentence = f" ({found.reason}: {shown(found.message)})" if found.reason else ""
    return f"{found.phase}: {progress}{sentence}" if progress else found.phase


def _progress(template: TemplateOverview) -> str:
    claims = f"{template.claims_done} of {template.claims_total} claims have {template.wanted}"
    return f"{template.name}: {claims}, template {template.size}"
