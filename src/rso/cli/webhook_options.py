"""The flags of `rso webhook`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import click

from rso.app import settings
from rso.app.settings import WebhookSettings
from rso.cli.flags import Option, checked, compose, option
from rso.cli.options import cluster_options, log_options, serving_options, size_options
from rso.core.rules import OnSmaller


def webhook_options() -> Option:
    """Return all flags of `rso webhook`; their values make `webhook_settings`."""
    return compose(
        cluster_options(),
        _scope_option(),
        _service_options(),
        _tls_options(),
        _user_options(),
        option(
            "--on-smaller",
            "on_smaller",
            default="deny",
            show_default=True,
            type=click.Choice(get_args(OnSmaller)),
            help="What becomes of a smaller size, unless the set's own annotation says so.",
        ),
        size_options(),
        serving_options(),
        log_options(),
    )


def webhook_settings(values: Mapping[str, Any]) -> WebhookSettings:
    """Return the settings that the flags of `webhook_options` gave.

    Raises: click.UsageError, for flags that do not go together.
    """
    if (values["tls"] == "self") != (values["tls_dir"] is None):
        raise click.UsageError("give --tls-dir with --tls files or cert-manager, and only then")
    if values["listen"] is None:
        raise click.UsageError("--listen cannot be off: API servers must reach it")
    namespace = values["service_namespace"]
    account = f"system:serviceaccount:{namespace}"
    users = {
        "resizer_user": values["resizer_user"] or f"{account}:resize-statefulset-operator",
        "autoscaler_user": values["autoscaler_user"] or f"{account}:auto-resize",
    }
    return WebhookSettings(
        **{**values, **users, "namespaces": values["namespaces"] or ()},
    )


def _service_options() -> Option:
    return compose(
        option(
            "--listen",
            "listen",
            metavar="HOST:PORT",
            default=":8443",
            show_default=True,
            callback=checked(settings.bind_address),
            help="Where reviews are answered, over HTTPS, at /mutate.",
        ),
        option(
            "--service",
            "service",
            metavar="NAME",
            default="webhook",
            show_default=True,
            callback=checked(settings.namespace),
            help="The Service in front of it: the certificate's name.",
        ),
        option(
            "--service-namespace",
            "service_namespace",
            metavar="NAME",
            default="rso-system",
            show_default=True,
            callback=checked(settings.namespace),
            help="The namespace of the Service; sets in it are not reviewed.",
        ),
        option(
            "--register/--no-register",
            "register",
            default=True,
            show_default=True,
            help="Make the webhook's configuration, with the rights of who runs it.",
        ),
        option(
            "--fence/--no-fence",
            "fence",
            default=True,
            show_default=True,
            help="Register, too, that only who may patch claims may change sizes and wishes.",
        ),
    )


def _scope_option() -> Option:
    return option(
        "--namespace",
        "namespaces",
        metavar="NAME,...",
        callback=checked(settings.namespaces),
        help="Review sets in these namespaces only.",
    )


def _tls_options() -> Option:
    return compose(
        option(
            "--tls",
            "tls",
            default="self",
            show_default=True,
            type=click.Choice(get_args(settings.Tls)),
            help="Where the certificate comes from: made here, files, or files by cert-manager.",
        ),
        option(
            "--tls-dir",
            "tls_dir",
            metavar="DIR",
            type=click.Path(file_okay=False, path_type=Path),
            help="Directory of tls.crt, tls.key and, for --register, ca.crt; read again on change.",
        ),
    )


def _user_options() -> Option:
    return compose(
        option(
            "--resizer-user",
            "resizer_user",
            metavar="NAME",
            callback=checked(settings.user),
            show_default="the ServiceAccount resize-statefulset-operator of that namespace",
            help="Whose requests are never reviewed.",
        ),
        option(
            "--autoscaler-user",
            "autoscaler_user",
            metavar="NAME",
            callback=checked(settings.user),
            show_default="the ServiceAccount auto-resize of that namespace",
            help="Likewise; the fence lets it write its own wish.",
        ),
    )
