"""`rso keygen`: make the key that seals backups, in a directory or as a Secret."""

import asyncio
from pathlib import Path
from typing import Any

import click

from rso.app import resources, settings
from rso.app.connect import find_access
from rso.app.keys import KeysUnusable, generate, secret_manifest
from rso.cli.exits import Failed
from rso.cli.flags import Stated, checked
from rso.cli.options import cluster_options
from rso.core.names import FIELD_MANAGER
from rso.kube.client import Client
from rso.kube.clock import SystemClock
from rso.kube.errors import AlreadyExists
from rso.kube.transport import HttpTransport


@click.command("keygen", short_help="Make the key that seals backups.")
@click.argument("directory", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--secret", cls=Stated, metavar="NAME", help="Make a Secret of this name instead of files."
)
@click.option(
    "--namespace",
    "-n",
    cls=Stated,
    default="rso-system",
    show_default=True,
    callback=checked(settings.namespace),
    help="The operator's namespace, for --secret.",
)
@click.option("--if-absent", is_flag=True, help="Succeed, changing nothing, if it is there.")
@cluster_options()
def command(**values: Any) -> None:  # noqa: ANN401  what click read
    """Make the key that seals backups: files in DIRECTORY, or a Secret in the cluster.

    Keep a copy of it outside the cluster: while a set is absent, only this key brings it back.
    """
    directory, secret = values["directory"], values["secret"]
    if (directory is None) == (secret is None):
        raise click.UsageError("give either a DIRECTORY or --secret NAME")
    if directory is not None:
        _make_files(directory, if_absent=values["if_absent"])
    else:
        asyncio.run(_make_secret(values))


def _make_files(directory: Path, *, if_absent: bool) -> None:
    if if_absent and (directory / "primary").exists():
        click.echo(f"{directory} has a key already; nothing changed")
        return
    try:
        key_id = generate(directory, SystemClock().now())
    except KeysUnusable as fault:
        raise Failed(str(fault)) from None
    click.echo(f"made key {key_id} in {directory}; keep a copy outside the cluster")


async def _make_secret(values: dict[str, Any]) -> None:
    name, namespace = values["secret"], values["namespace"]
    transport = HttpTransport(find_access(values["kubeconfig"], values["context"]))
    clock = SystemClock()
    client = Client(transport, clock=clock, field_manager=FIELD_MANAGER)
    try:
        manifest = secret_manifest(name, namespace, clock.now())
        await client.create(resources.SECRETS, namespace, manifest)
    except AlreadyExists:
        if not values["if_absent"]:
            raise Failed(
                f"Secret {namespace}/{name} exists already; keys are never overwritten"
            ) from None
        click.echo(f"Secret {namespace}/{name} exists already; nothing changed")
    else:
        click.echo(f"made Secret {namespace}/{name}; keep a copy outside the cluster")
    finally:
        await transport.close()
