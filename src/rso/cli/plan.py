"""`rso plan`: every request that a resize would make, and what each guard says; no change."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import click
import msgspec
from rich.console import RenderableType
from rich.text import Text

from rso.app.checks import Check, checks
from rso.app.dependents import dependents
from rso.app.forecast import forecast, outcome, refusals
from rso.app.requests import Planned, Requests, wishing
from rso.cli.connection import Connection, connect, key_ring
from rso.cli.exits import Failed
from rso.cli.options import (
    bound_options,
    bounds_of,
    key_dir_option,
    output_option,
    person_options,
)
from rso.cli.output import draw, emit, shown, table, working
from rso.cli.wishes import Wishes, annotated, annotations, by_index, wish_argument
from rso.core.actions import Replace
from rso.core.world import Key


class Refused(msgspec.Struct, frozen=True):
    """The whole message of an API server's no; the terminal may show what a status may not."""

    subject: str
    code: int
    message: str


class Plan(msgspec.Struct, frozen=True, rename="camel"):
    """What would happen: plain data."""

    namespace: str
    name: str
    phase: str
    reason: str
    message: str
    checks: tuple[Check, ...]
    requests: tuple[Planned, ...]
    refusals: tuple[Refused, ...]
    loses_owner: tuple[str, ...]
    unseen_kinds: tuple[str, ...]


@click.command("plan", short_help="Show every request that a resize would make.")
@click.argument("name")
@wish_argument(required=False)
@output_option("table", "json", "yaml")
@person_options()
@key_dir_option("Keys of the backups; needed only while a recreate of the set is under way.")
@bound_options()
def command(**values: Any) -> None:  # noqa: ANN401  what click read
    """Show what `rso resize` with these sizes would do; without sizes, what is still to be done.

    The API server is asked every dry run, and nothing is changed.
    """
    asyncio.run(_run(values))


async def _run(values: Mapping[str, Any]) -> None:
    async with connect(values) as connection:
        with working("asking the API server"):
            made = await make_plan(connection, values)
    if values["output"] == "table":
        draw(*_drawing(made))
    else:
        emit(made, values["output"])
    if made.phase == "Blocked":
        raise Failed(f"{made.namespace}/{made.name} is blocked: {made.reason}; nothing was changed")


async def make_plan(connection: Connection, values: Mapping[str, Any]) -> Plan:
    """Return the plan for the set and the sizes of the flags."""
    key = Key(connection.namespace, values["name"])
    cluster = await connection.cluster_id_if_known()
    observer = connection.observer(bounds_of(values), key_ring(values["key_dir"]), cluster)
    await observer.view.read_set(key)
    statefulset = observer.view.statefulset(key)
    if statefulset is None:
        raise Failed(f"there is no StatefulSet {key}; `rso status` shows whether it is absent")
    wishes: Wishes = values["wishes"]
    sizes = by_index(statefulset, wishes)
    present = statefulset.metadata.annotations
    found = await forecast(observer, key, annotated(present, sizes))
    requests = Requests(cluster, connection.operator_namespace)
    is_replaced = any(isinstance(each.decision, Replace) for each in found.moments)
    uid = statefulset.metadata.uid
    lost = await dependents(connection.client, key, uid) if is_replaced else ((), ())
    phase, reason, message = outcome(found.end)
    return Plan(
        *key,
        phase,
        reason,
        message,
        tuple(checks(found)),
        (*wishing(statefulset, annotations(sizes)), *requests.all(found)),
        tuple(Refused(what, no.code, no.message) for what, no in refusals(found)),
        *lost,
    )


def _drawing(made: Plan) -> Iterator[RenderableType]:
    if made.checks:
        yield Text("What was asked, and what was answered:")
        yield table(("", "SUBJECT", "ANSWER"), map(_check_row, made.checks))
        yield Text("")
    for refused in made.refusals:
        yield Text(f"{refused.subject}: {refused.code}: {shown(refused.message)}\n")
    if made.requests:
        yield Text("What would be sent, in this order:")
        yield table(("", "VERB", "OBJECT", "CHANGE"), _request_rows(made.requests))
        yield Text("")
    yield from _losses(made)
    yield Text(_ending(made))


def _check_row(check: Check) -> tuple[str, ...]:
    return ("ok" if check.ok else "NO", check.subject, check.answer)


def _request_rows(requests: tuple[Planned, ...]) -> Iterator[tuple[str, ...]]:
    for number, each in enumerate(requests, start=1):
        where = f"{each.resource} {each.namespace}/{each.name}"
        yield (f"{number}.", each.verb, where, each.change)


def _losses(made: Plan) -> Iterator[RenderableType]:
    if made.loses_owner:
        yield Text(
            "These name the set as their owner; they stay, but without an owner, unless whoever "
            f"made them writes it again: {', '.join(made.loses_owner)}\n"
        )
    if made.unseen_kinds:
        yield Text(
            f"Your rights do not show whether the set owns any of: {', '.join(made.unseen_kinds)}\n"
        )


def _ending(made: Plan) -> str:
    reason = f"{made.reason}: " if made.reason else ""
    if made.phase == "Done":
        what = "Then it is done." if made.requests else "There is nothing to do."
    else:
        what = f"{made.phase}: {reason}{shown(made.message)}."
    return f"{what} Nothing was changed."
