"""`rso backup`: list the backups, or print the set that one holds."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click
import msgspec
from rich.text import Text

from rso.app import resources
from rso.app.answers import Questions
from rso.app.live import LiveView
from rso.app.resources import BackupMap
from rso.app.seal import Sealer
from rso.app.view import read_backup
from rso.cli.connection import Connection, connect, key_ring
from rso.cli.exits import Failed
from rso.cli.options import key_dir_option, output_option, person_options
from rso.cli.output import as_text, draw, emit, table
from rso.core.actions import AskBackup
from rso.core.names import BACKUP_SELECTOR, Phase
from rso.core.successor import successor
from rso.core.times import format_time
from rso.core.world import Backup, Key, Saved, Unreadable
from rso.kube.errors import NotFound

COLUMNS = ("NAMESPACE", "SET", "BACKUP", "PHASE", "CREATED", "FAULT")
PREFIX = "srb-"  # begins the name of each backup


class Listed(msgspec.Struct, frozen=True, rename="camel"):
    """A backup; `phase` is deleting, superseded, or copy: nothing was deleted yet."""

    namespace: str
    name: str
    backup: str
    phase: str
    created: str
    statefulset_uid: str
    successor_uid: str
    fault: str


@click.group("backup", short_help="List backups, or print one.")
def command() -> None:
    """Look at the backups, from which absent sets are brought back."""


@command.command("list")
@click.option("--all-namespaces", "-A", is_flag=True, help="Show those of every namespace's sets.")
@output_option("table", "json", "yaml")
@person_options()
def list_backups(**values: Any) -> None:  # noqa: ANN401  what click read
    """Show the backups of a namespace's sets; no key is needed.

    PHASE: deleting (its set is away, or was when this was written), superseded (its set is back,
    or another took the name; kept seven days at most), copy (nothing was deleted yet).
    """
    asyncio.run(_list(values))


@command.command("show")
@click.argument("name")
@key_dir_option("Directory with the keys of the backups (`rso keygen`).", required=True)
@click.option("--as-saved", is_flag=True, help="As it was, with old sizes and field managers.")
@output_option("yaml", "json")
@person_options()
def show(**values: Any) -> None:  # noqa: ANN401  what click read
    """Print the set of a backup, ready for `kubectl create -f -`: whole, with the sizes wanted.

    NAME is the set's, or the backup's own (srb-...). It is printed in clear: environment
    variables of its Pods may hold secrets.
    """
    asyncio.run(_show(values))


async def _list(values: Mapping[str, Any]) -> None:
    async with connect(values) as connection:
        namespace = None if values["all_namespaces"] else connection.namespace
        found = await _backups(connection, namespace)
    rows = [_listed(key, backup) for key, backup in found]
    if values["output"] != "table":
        emit({"backups": rows}, values["output"])
    elif rows:
        cells = ((e.namespace, e.name, e.backup, e.phase, e.created, e.fault or "-") for e in rows)
        draw(table(COLUMNS, cells))
    else:
        where = f"for sets of namespace {namespace} " if namespace else ""
        draw(Text(f"there are no backups {where}in {connection.operator_namespace}"))


async def _backups(
    connection: Connection, namespace: str | None
) -> list[tuple[Key | None, Backup]]:
    """Return the backups, and those that do not say whose they are, oldest first."""
    listing = await connection.client.list(
        resources.BACKUPS, connection.operator_namespace, BACKUP_SELECTOR
    )
    ordered = sorted(listing.items, key=_age)
    found = [read_backup(body) for body in ordered]
    return [(key, each) for key, each in found if _is_of(key, namespace)]


def _age(body: BackupMap) -> tuple[bool, datetime | str, str]:
    created = body.metadata.creation_timestamp
    return (created is None, format_time(created) if created else "", body.metadata.name)


def _is_of(key: Key | None, namespace: str | None) -> bool:
    return key is None or namespace is None or key.namespace == namespace


def _listed(key: Key | None, backup: Backup) -> Listed:
    return Listed(
        namespace=key.namespace if key else "",
        name=key.name if key else "",
        backup=backup.name,
        phase=backup.phase or "copy",
        created=format_time(backup.created_at) if backup.created_at else "",
        statefulset_uid=backup.statefulset_uid,
        successor_uid=backup.successor,
        fault=backup.fault,
    )


async def _show(values: Mapping[str, Any]) -> None:
    keys = key_ring(values["key_dir"])
    async with connect(values) as connection:
        sealer = Sealer(keys, "", connection.operator_namespace)
        view = LiveView(connection.client, connection.operator_namespace)
        questions = Questions(connection.client, view, sealer, connection.clock)
        name = await _chosen(connection, values["name"])
        try:
            _, saved = await questions.backup(AskBackup(name))
        except NotFound:
            raise Failed(f"there is no backup {name} in {connection.operator_namespace}") from None
    if isinstance(saved, Unreadable):
        raise Failed(saved.sentence)
    click.echo(_text(name, saved, values), nl=False)


async def _chosen(connection: Connection, name: str) -> str:
    """Return the name of a backup: the one given, or the one that matters of the set given."""
    if name.startswith(PREFIX):
        return name
    key = Key(connection.namespace, name)
    own = [each for owner, each in await _backups(connection, key.namespace) if owner == key]
    if not own:
        raise Failed(
            f"there is no backup of StatefulSet {key} in {connection.operator_namespace}; "
            "`rso backup list -A` shows all"
        )
    deleting = [each for each in own if each.phase is Phase.DELETING]
    return (deleting or own)[-1].name


def _text(name: str, saved: Saved, values: Mapping[str, Any]) -> str:
    found = saved.object if values["as_saved"] else successor(saved.object, saved.sizes)
    head = f"# the StatefulSet that backup {name} holds\n" if values["output"] == "yaml" else ""
    return head + as_text(found, values["output"])
