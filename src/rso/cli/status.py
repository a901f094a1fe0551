"""`rso status`: what sets wish for, what they have, and what holds them."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import click
import msgspec
from msgspec.structs import replace
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from rso.app.overview import Overview, TemplateOverview, is_managed, overview
from rso.app.tools import Observer
from rso.cli.connection import Connection, connect
from rso.cli.exits import Failed
from rso.cli.options import bound_options, bounds_of, output_option, person_options
from rso.cli.output import console, draw, emit, note, shown, table, working
from rso.core.quantity import InvalidQuantity
from rso.core.world import Key
from rso.kube.errors import ServerError, Unreachable

WATCH_SECONDS = 2.0
COLUMNS = (
    "NAMESPACE",
    "NAME",
    "TEMPLATE",
    "SIZE",
    "WANTED",
    "CLAIMS",
    "CAPACITY",
    "PHASE",
    "REASON",
)


class Answer(msgspec.Struct, frozen=True):
    """What was found where, and sentences about what could not be read."""

    where: str
    sets: tuple[Overview, ...]
    notes: tuple[str, ...]


@click.command("status", short_help="Show what sets wish for and what holds them.")
@click.argument("name", required=False)
@click.option("--all-namespaces", "-A", is_flag=True, help="Look into every namespace.")
@click.option("--all", "everything", is_flag=True, help="Show also sets that ask for nothing.")
@click.option("--watch", "-w", is_flag=True, help="Follow until interrupted.")
@output_option("table", "json", "yaml")
@person_options()
@bound_options()
def command(**values: Any) -> None:  # noqa: ANN401  what click read
    """Show each set that asks for something, and each that is absent.

    SIZE is the template's, WANTED what it shall become, CLAIMS how many have it of how many.
    """
    if values["name"] and values["all_namespaces"]:
        raise click.UsageError("give either a NAME or --all-namespaces")
    try:
        asyncio.run(_run(values))
    except KeyboardInterrupt:
        if not values["watch"]:
            raise


async def _run(values: Mapping[str, Any]) -> None:
    async with connect(values) as connection:
        observer = connection.observer(
            bounds_of(values), cluster=await connection.cluster_id_if_known()
        )
        with working("reading the cluster"):
            answer = await _answer(observer, connection, values)
        key = Key(connection.namespace, values["name"] or "")
        if values["name"] and not (answer.sets or observer.view.statefulset(key)):
            raise Failed(f"there is no StatefulSet {key}, and no backup says that it is away")
        if values["watch"]:
            await _watch(_changes(observer, connection, values, answer), values["output"])
        else:
            _show(answer, values["output"])


async def _answer(observer: Observer, connection: Connection, values: Mapping[str, Any]) -> Answer:
    view, name = observer.view, values["name"]
    if name:
        keys = [Key(connection.namespace, name)]
        await view.read_set(keys[0])
    else:
        await view.read_all(None if values["all_namespaces"] else connection.namespace)
        keys = view.keys()
    found, unread = await _overviews(observer, keys)
    wanted = [each for each in found if _is_shown(each) or values["everything"] or name]
    damaged = (each.fault for each in view.damaged_backups())
    where = "anywhere" if values["all_namespaces"] else f"in namespace {connection.namespace}"
    return Answer(where, tuple(wanted), (*view.gaps, *damaged, *unread))


async def _overviews(observer: Observer, keys: Iterable[Key]) -> tuple[list[Overview], list[str]]:
    """Return the sets, and a sentence for each that holds a size nobody can read."""
    found, unread = [], []
    for key in keys:
        try:
            each = await _overview(observer, key)
        except InvalidQuantity as fault:
            unread.append(f"{key} cannot be shown: {fault}")
            continue
        if each is not None:
            found.append(each)
    return found, unread


async def _overview(observer: Observer, key: Key) -> Overview | None:
    world, decision = await observer.look(key)
    if world.statefulset is None and not is_managed(world):
        return None
    return overview(replace(world, claims=observer.view.claims(key)), decision)


def _is_shown(found: Overview) -> bool:
    return found.phase != "Unmanaged"


async def _changes(
    observer: Observer, connection: Connection, values: Mapping[str, Any], answer: Answer
) -> AsyncIterator[Answer]:
    """Yield the answer, and each later one that differs."""
    yield answer
    while True:
        await connection.clock.sleep(WATCH_SECONDS)
        before = answer
        try:
            answer = await _answer(observer, connection, values)
        except (ServerError, Unreachable) as fault:
            answer = replace(before, notes=(f"the API server is away: {fault}",))
        if answer != before:
            yield answer


async def _watch(answers: AsyncIterator[Answer], output: str) -> None:
    """Draw over the last answer in a terminal; elsewhere print each."""
    screen = console()
    if output != "table" or not screen.is_terminal:
        async for answer in answers:
            _show(answer, output)
        return
    with Live(console=screen, auto_refresh=False) as live:
        async for answer in answers:
            live.update(_drawing(answer), refresh=True)


def _show(answer: Answer, output: str) -> None:
    if output != "table":
        emit({"sets": answer.sets, "notes": answer.notes}, output)
        return
    for each in answer.notes:
        note(each)
    draw(_drawing(answer))


def _drawing(answer: Answer) -> RenderableType:
    if not answer.sets:
        return Text(f"no StatefulSet {answer.where} asks for anything; --all shows every one")
    lines = [line for each in answer.sets for line in rows(each)]
    sentences = [Text(_sentence(each)) for each in answer.sets if each.message]
    gap = [Text("")] if sentences else []
    return Group(table(COLUMNS, lines), *gap, *sentences)


def rows(found: Overview) -> list[tuple[str, ...]]:
    """Return the lines of a set in a table with `COLUMNS`."""
    end = (found.phase, found.reason or "-")
    if not found.templates:
        return [(found.namespace, found.name, "-", "-", "-", "-", "-", *end)]
    return [(found.namespace, found.name, *_cells(each), *end) for each in found.templates]


def _cells(template: TemplateOverview) -> tuple[str, ...]:
    claims = f"{template.claims_done}/{template.claims_total}"
    ends = dict.fromkeys((template.smallest, template.largest))
    capacity = "..".join(filter(None, ends)) or "-"
    return template.name, template.size, template.wanted, claims, capacity


def _sentence(found: Overview) -> str:
    reason = f"{found.reason}: " if found.reason else ""
    return f"{found.namespace}/{found.name} {found.phase}: {reason}{shown(found.message)}"
