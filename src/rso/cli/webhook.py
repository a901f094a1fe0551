"""`rso webhook`: run the part that turns an edit of a template into a wish."""

import asyncio
import logging
import signal
from typing import Any

import click
import uvloop

from rso.app.connect import find_access
from rso.app.log import Logger, configure
from rso.app.probes import CannotListen, Probes
from rso.app.settings import WebhookSettings
from rso.app.webhook import Webhook
from rso.cli.exits import Failed
from rso.cli.webhook_options import webhook_options, webhook_settings
from rso.kube.clock import SystemClock
from rso.kube.transport import HttpTransport


@click.command("webhook", short_help="Run the operator's admission webhook.")
@webhook_options()
def command(**values: Any) -> None:  # noqa: ANN401  what click read
    """Take bigger sizes in volumeClaimTemplates as wishes, and refuse smaller ones, until stopped.

    API servers ask it over HTTPS; with --register it makes the objects for that itself.
    """
    settings = webhook_settings(values)
    configure(settings.log_format, settings.log_level)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(settings))
    except CannotListen as fault:
        raise Failed(str(fault)) from fault


async def run(settings: WebhookSettings) -> None:
    """Run a webhook with its probes until SIGTERM or SIGINT.

    Raises: CannotListen.
    """
    log = Logger(logging.getLogger(__name__))
    transport = HttpTransport(find_access(settings.kubeconfig, settings.context))
    webhook = Webhook(settings, transport, SystemClock())
    probes = Probes(settings.metrics_bind, webhook.metrics, webhook.missing, webhook.ailing)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, webhook.stop)
    log.info("webhook starts", service=f"{settings.service_namespace}/{settings.service}")
    try:
        await probes.start()
        await webhook.run()
    finally:
        await probes.stop()
        await transport.close()
    log.info("webhook ends")
