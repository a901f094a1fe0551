"""The flags of the parts. Each can also be set by an environment variable; a flag wins.

A bad value ends the command with exit code 2 before anything starts, and its message names the
flag, the variable, the value and what is allowed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import click

from rso.app import settings
from rso.app.settings import Settings
from rso.cli.flags import Option, Stated, checked, compose, option
from rso.core.policy import Bounds


def cluster_options() -> Option:
    """Return the flags that say which cluster, and as whom."""
    return compose(
        option(
            "--kubeconfig",
            "kubeconfig",
            metavar="FILE",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Kubeconfig file. In a Pod the ServiceAccount is used instead.",
        ),
        option("--context", "context", metavar="NAME", help="Context of the kubeconfig."),
    )


def log_options() -> Option:
    """Return the flags that say what is logged, and how."""
    return compose(
        option(
            "--log-format",
            "log_format",
            default="text",
            show_default=True,
            type=click.Choice(get_args(settings.LogFormat)),
            help="Lines for people, or one JSON object a line.",
        ),
        option(
            "--log-level",
            "log_level",
            default="info",
            show_default=True,
            type=click.Choice(get_args(settings.LogLevel), case_sensitive=False),
            help="The least severe lines that are shown.",
        ),
    )


def serving_options() -> Option:
    """Return the flag for metrics and probes."""
    return option(
        "--metrics-bind",
        "metrics_bind",
        metavar="HOST:PORT",
        default=":8080",
        show_default=True,
        callback=checked(settings.bind_address),
        help="Where /metrics, /healthz and /readyz are served; 0 for nowhere.",
    )


def scope_options() -> Option:
    """Return the flags that say where to work, and where the operator itself lives."""
    return compose(
        option(
            "--namespace",
            "namespaces",
            metavar="NAME,...",
            callback=checked(settings.namespaces),
            help="Work in these namespaces only, with Roles instead of a ClusterRole.",
        ),
        operator_namespace_option(),
    )


def operator_namespace_option() -> Option:
    """Return the flag that says where the operator lives."""
    return option(
        "--operator-namespace",
        "operator_namespace",
        metavar="NAME",
        default="rso-system",
        show_default=True,
        callback=checked(settings.namespace),
        help="The operator's own namespace: its backups and its Lease.",
    )


def key_dir_option(help_text: str, *, required: bool = False) -> Option:
    """Return the flag that says where the keys of the backups are."""
    return option(
        "--key-dir",
        "key_dir",
        metavar="DIR",
        required=required,
        type=click.Path(exists=required, file_okay=False, path_type=Path),
        help=help_text,
    )


def namespace_option() -> Option:
    """Return the flag of a command that looks into one namespace, as kubectl spells it."""
    return click.option(
        "--namespace",
        "-n",
        "namespace",
        cls=Stated,
        metavar="NAME",
        callback=checked(settings.namespace),
        help="Namespace of the set; else the context's.",
    )


def output_option(*formats: str) -> Option:
    """Return the flag that says how the answer is written; the first format is the default."""
    return click.option(
        "--output",
        "-o",
        "output",
        default=formats[0],
        show_default=True,
        type=click.Choice(formats),
        help="How the answer is written.",
    )


def lease_options() -> Option:
    """Return the flags about who of several works."""
    return compose(
        option(
            "--leader-elect/--no-leader-elect",
            "leader_elect",
            default=True,
            show_default=True,
            help="Work only while holding the Lease. Needed with more than one replica.",
        ),
        option(
            "--identity",
            "identity",
            metavar="ID",
            callback=checked(settings.identity),
            show_default="host name and a random part",
            help="Name of this process in the Lease.",
        ),
    )


def size_options() -> Option:
    """Return the flags that say how large a wish may be."""
    return compose(
        option(
            "--max-size",
            "max_size_bytes",
            metavar="SIZE",
            default="2000Gi",
            show_default=True,
            callback=checked(settings.size_bytes),
            help="The largest volume that may be wished for; a set may set a lower one.",
        ),
        option(
            "--max-factor",
            "max_factor",
            metavar="N",
            default="10",
            show_default=True,
            callback=checked(settings.count),
            help="A wish over N times the template's size needs the annotation `confirm`.",
        ),
    )


def bound_options() -> Option:
    """Return the flags that say how far a set may grow."""
    return compose(
        size_options(),
        option(
            "--template-follows",
            "template_follows",
            default="never",
            show_default=True,
            type=click.Choice(get_args(settings.TemplateFollows)),
            help="Whether the template of an auto-scaled set grows too. Needs the webhook.",
        ),
    )


def work_options() -> Option:
    """Return the flags about the work itself."""
    return compose(
        option(
            "--concurrency",
            "concurrency",
            metavar="N",
            default="8",
            show_default=True,
            callback=checked(settings.count),
            help="How many sets are worked on at a time.",
        ),
        option(
            "--recreate-concurrency",
            "recreate_concurrency",
            metavar="N",
            default="1",
            show_default=True,
            callback=checked(settings.count),
            help="How many sets may be absent at a time.",
        ),
        key_dir_option("The mounted Secret of `rso keygen`. Without it no set is recreated."),
    )


def resizer_options() -> Option:
    """Return all flags of `rso resizer`; their values make `resizer_settings`."""
    return compose(
        cluster_options(),
        scope_options(),
        lease_options(),
        work_options(),
        bound_options(),
        serving_options(),
        log_options(),
    )


def person_options() -> Option:
    """Return the flags of each command that a person runs about sets."""
    return compose(namespace_option(), cluster_options(), operator_namespace_option())


def bounds_of(values: Mapping[str, Any]) -> Bounds:
    """Return what the flags of `bound_options` allow; volumes are read where rights reach."""
    return Bounds(
        max_size_bytes=values["max_size_bytes"],
        max_factor=values["max_factor"],
        template_follows=values["template_follows"] == "always",
    )


def resizer_settings(values: Mapping[str, Any]) -> Settings:
    """Return the settings that the flags of `resizer_options` gave."""
    # None is "not given" to click, and "off" for the address.
    given = (name for name, value in values.items() if value is not None or name == "metrics_bind")
    return Settings(**{name: values[name] for name in given})
