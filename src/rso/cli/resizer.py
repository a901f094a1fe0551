"""`rso resizer`: run the part that grows claims and recreates sets."""

import asyncio
import logging
import signal
from typing import Any

import click

from rso.app.connect import find_access
from rso.app.log import Logger, configure
from rso.app.probes import CannotListen, Probes
from rso.app.resizer import Resizer
from rso.app.settings import Settings
from rso.cli.exits import Failed
from rso.cli.options import resizer_options, resizer_settings
from rso.kube.clock import SystemClock
from rso.kube.errors import LeaseLost, NotFound
from rso.kube.transport import HttpTransport


@click.command("resizer", short_help="Run the operator's resizer.")
@resizer_options()
def command(**values: Any) -> None:  # noqa: ANN401  what click read
    """Grow claims, then replace sets whose template must follow, until stopped."""
    settings = resizer_settings(values)
    configure(settings.log_format, settings.log_level)
    try:
        asyncio.run(run(settings))
    except NotFound as fault:
        raise Failed(
            f"the operator's namespace {settings.operator_namespace} does not exist; create it, or "
            "name another with --operator-namespace"
        ) from fault
    except (LeaseLost, CannotListen) as fault:
        raise Failed(str(fault)) from fault


async def run(settings: Settings) -> None:
    """Run a resizer with its probes until SIGTERM or SIGINT.

    Raises: KubeError, when the cluster cannot be read at the start; LeaseLost; CannotListen.
    """
    log = Logger(logging.getLogger(__name__))
    transport = HttpTransport(find_access(settings.kubeconfig, settings.context))
    resizer = Resizer(settings, transport, SystemClock())
    probes = Probes(settings.metrics_bind, resizer.metrics, resizer.missing, resizer.ailing)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, resizer.stop)
    namespaces = ", ".join(settings.namespaces) or "all"
    log.info("resizer starts", identity=settings.identity, namespaces=namespaces)
    try:
        await probes.start()
        await resizer.run()
    finally:
        await probes.stop()
        await transport.close()
    log.info("resizer ends", identity=settings.identity)
