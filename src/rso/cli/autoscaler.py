"""`rso autoscaler`: run the part that wishes for more before a volume is full."""

import asyncio
import logging
import signal
from typing import Any

import click
import uvloop

from rso.app.autoscaler import Autoscaler
from rso.app.connect import find_access
from rso.app.log import Logger, configure
from rso.app.probes import CannotListen, Probes
from rso.app.settings import AutoscalerSettings
from rso.app.usage.choice import choose
from rso.cli.autoscaler_options import autoscaler_options, autoscaler_settings
from rso.cli.exits import Failed
from rso.kube.clock import SystemClock
from rso.kube.errors import LeaseLost
from rso.kube.transport import HttpTransport


@click.command("autoscaler", short_help="Run the operator's autoscaler.")
@autoscaler_options()
def command(**values: Any) -> None:  # noqa: ANN401  what click read
    """Watch how full the volumes of auto-scaled sets are, and wish for more, until stopped.

    A set is auto-scaled with the annotation resize-statefulset-operator/auto-scaled: "true".
    """
    settings = autoscaler_settings(values)
    configure(settings.log_format, settings.log_level)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(settings))
    except (LeaseLost, CannotListen) as fault:
        raise Failed(str(fault)) from fault


async def run(settings: AutoscalerSettings) -> None:
    """Run an autoscaler with its probes until SIGTERM or SIGINT.

    Raises: LeaseLost; CannotListen; NoCredentials.
    """
    log, clock = Logger(logging.getLogger(__name__)), SystemClock()
    access = find_access(settings.kubeconfig, settings.context)
    transport = HttpTransport(access)
    autoscaler = Autoscaler(settings, transport, choose(settings, access, clock), clock)
    probes = Probes(
        settings.metrics_bind, autoscaler.metrics, autoscaler.missing, autoscaler.ailing
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, autoscaler.stop)
    namespaces = ", ".join(settings.namespaces) or "all"
    sources = ", ".join(settings.sources)
    log.info(
        "autoscaler starts", identity=settings.identity, namespaces=namespaces, sources=sources
    )
    try:
        await probes.start()
        await autoscaler.run()
    finally:
        await probes.stop()
        await transport.close()
    log.info("autoscaler ends", identity=settings.identity)
