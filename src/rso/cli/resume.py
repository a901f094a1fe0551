"""`rso resume`: bring an absent set back and finish its recreate, without the operator."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import click
from prometheus_client import CollectorRegistry

from rso.app import resources
from rso.app.assembly import make_tools
from rso.app.leader import LEASE, leader
from rso.app.live import LiveView
from rso.app.log import configure
from rso.app.metrics import Metrics
from rso.app.notice import Notices
from rso.app.resume import Refused, Resume, is_demanded
from rso.app.rights import demand
from rso.app.seal import Sealer
from rso.app.settings import default_identity
from rso.cli.connection import Connection, connect, key_ring
from rso.cli.exits import Failed, TimedOut
from rso.cli.flags import checked
from rso.cli.options import (
    bound_options,
    bounds_of,
    key_dir_option,
    person_options,
)
from rso.cli.output import note
from rso.core.names import APP, FIELD_MANAGER, Phase
from rso.core.times import duration_seconds
from rso.core.world import Key, World
from rso.kube.client import Client
from rso.kube.errors import LeaseLost
from rso.kube.lease import Lease
from rso.kube.recorder import Recorder

WATCH_LEASE_SECONDS = 1.0
EVENT_SECONDS = 5.0  # for what is left to say at the end


@click.command("resume", short_help="Bring an absent set back, without the operator.")
@click.argument("name")
@key_dir_option("Directory with the keys of the backups (`rso keygen`).", required=True)
@click.option(
    "--timeout",
    "timeout_seconds",
    metavar="TIME",
    default="5m",
    show_default=True,
    callback=checked(duration_seconds),
    help="How long to try, as 90s, 10m or 1h.",
)
@click.option(
    "--force", is_flag=True, help="Work without the Lease, even beside an operator that runs."
)
@person_options()
@bound_options()
def command(**values: Any) -> None:  # noqa: ANN401  what click read
    """Bring back a set that is away because of its resize, and finish that.

    Needs the key of its backup and no operator. It begins nothing new: growth that is left is
    done by an operator. While one runs it does this itself, so its Lease is taken first.
    """
    configure("text", "info")
    asyncio.run(_run(values))


async def _run(values: Mapping[str, Any]) -> None:
    keys = key_ring(values["key_dir"])
    async with connect(values) as connection:
        key = Key(connection.namespace, values["name"])
        sealer = Sealer(keys, await connection.cluster_id(), connection.operator_namespace)
        lease = None if values["force"] else _lease(connection)
        client = Client(
            connection.transport,
            clock=connection.clock,
            field_manager=FIELD_MANAGER,
            may_write=lease.is_held if lease else None,
        )
        view = LiveView(client, sealer.namespace)
        clock = connection.clock
        recorder = Recorder(client, f"{APP}-resizer", "rso-resume", clock)
        notices = Notices(recorder, Metrics(CollectorRegistry()))
        tools = make_tools(client, view, sealer, bounds_of(values), notices, clock)
        resume = Resume(tools, view, note)
        world = await resume.look(key)
        if view.gaps:
            raise Failed("; ".join(view.gaps))
        if not is_demanded(world):
            _say_why_not(world)
            return
        if world.statefulset is None:
            # A refused create may be a quota that lags, and is tried again; a lacking right is not.
            sets = resources.STATEFULSETS.resource
            await demand(connection.client, "create", sets, key.namespace)
        try:
            async with _sending(recorder), asyncio.timeout(values["timeout_seconds"]):
                await _resume(connection, resume, key, lease)
        except TimeoutError:
            raise TimedOut(
                f"{key} is not finished after {values['timeout_seconds']:.0f} s; run this again, "
                "or start the operator: either goes on where this ended"
            ) from None


@contextlib.asynccontextmanager
async def _sending(recorder: Recorder) -> AsyncIterator[None]:
    """Send Events meanwhile, and at the end what is left of them."""
    running = asyncio.ensure_future(recorder.run())
    try:
        yield
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EVENT_SECONDS):
                await recorder.drain()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _lease(connection: Connection) -> Lease:
    return Lease(
        connection.client,
        connection.clock,
        connection.operator_namespace,
        LEASE,
        f"rso-resume_{default_identity()}",
    )


def _say_why_not(world: World) -> None:
    """Tell why there is nothing to resume.

    Raises: Failed, when the set does not exist.
    """
    if world.statefulset is not None:
        click.echo(f"StatefulSet {world.key} is there; no recreate of it waits to be finished")
        return
    if not world.backups:
        raise Failed(f"there is no StatefulSet {world.key}, and no backup of it")
    names = ", ".join(backup.name for backup in world.backups)
    raise Failed(
        f"StatefulSet {world.key} was deleted by somebody else, not for a resize, so it stays "
        f"deleted; `rso backup show {world.key.name}` prints what its backup holds ({names})"
    )


async def _resume(connection: Connection, resume: Resume, key: Key, lease: Lease | None) -> None:
    if lease is None:
        await _finish(resume, key)
        return

    async def work() -> None:
        await _finish(resume, key)

    working = asyncio.ensure_future(lease.hold(work))
    guarding = asyncio.ensure_future(_until_led(connection, lease))
    try:
        await asyncio.wait({working, guarding}, return_when=asyncio.FIRST_COMPLETED)
        if guarding.done():
            guarding.result()
        await working
    except LeaseLost as fault:
        raise Failed(f"an operator has taken over and goes on: {fault}") from None
    finally:
        working.cancel()
        guarding.cancel()
        await asyncio.gather(working, guarding, return_exceptions=True)


async def _until_led(connection: Connection, lease: Lease) -> None:
    """Return once the Lease is ours.

    Raises: Failed, when somebody else renews it; Forbidden, when it cannot be read.
    """
    first = await leader(connection.client, connection.clock, connection.operator_namespace)
    if first is not None and not lease.is_held():
        note(f"the Lease names {first.holder}; waiting up to 20 s to see whether that runs ...")
    while not lease.is_held():
        await connection.clock.sleep(WATCH_LEASE_SECONDS)
        now = await leader(connection.client, connection.clock, connection.operator_namespace)
        if now and first and now.renewed != first.renewed and not lease.is_held():
            raise Failed(
                f"the operator {now.holder} runs and brings the set back itself; see its log, or "
                "`rso status`; --force does without the Lease, if you know that it is stuck"
            )
        first = now


async def _finish(resume: Resume, key: Key) -> None:
    before = await resume.look(key)
    try:
        world = await resume.run(key)
    except Refused as fault:
        raise Failed(str(fault)) from None
    statefulset = world.statefulset
    if statefulset is None:
        raise Failed(f"{key} was not brought back; the lines above say why")
    begun = {each.name for each in before.backups if each.phase is Phase.DELETING}
    taken = [each.name for each in world.backups if each.name in begun]
    if taken:
        raise Failed(
            f"{key} was made by somebody else while it was away, and is left as it is; compare it "
            f"with `rso backup show {taken[0]}`"
        )
    templates = statefulset.spec.volume_claim_templates
    sizes = ", ".join(f"{each.name}={each.spec.resources.storage}" for each in templates)
    click.echo(f"{key} is back, with {sizes}")
