"""The flags of `rso autoscaler`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from rso.app import settings
from rso.app.settings import AutoscalerSettings
from rso.app.usage import prometheus
from rso.app.usage.kubelet import KubeletSettings
from rso.app.usage.prometheus import PrometheusSettings
from rso.cli.flags import Option, checked, compose, option
from rso.cli.options import (
    cluster_options,
    lease_options,
    log_options,
    scope_options,
    serving_options,
    size_options,
)
from rso.core import scaling
from rso.core.scaling import Scaling

T = TypeVar("T")

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_POLICY = tuple(Scaling.__struct_fields__)


def autoscaler_options() -> Option:
    """Return all flags of `rso autoscaler`; their values make `autoscaler_settings`."""
    return compose(
        cluster_options(),
        scope_options(),
        lease_options(),
        _source_options(),
        _policy_options(),
        size_options(),
        serving_options(),
        log_options(),
    )


def autoscaler_settings(values: Mapping[str, Any]) -> AutoscalerSettings:
    """Return the settings that the flags of `autoscaler_options` gave.

    Raises: click.UsageError, for flags that do not go together.
    """
    # None is "not given" to click, and "off" for the address.
    given = {k: v for k, v in values.items() if v is not None or k == "metrics_bind"}
    kubelet = KubeletSettings(**_taken(given, "kubelet_"))
    policy = Scaling(**{name: given.pop(name) for name in _POLICY if name in given})
    asked = _taken(given, "prometheus_")
    chosen = AutoscalerSettings(**given, kubelet=kubelet, scaling=policy, prometheus=_at(asked))
    if ("prometheus" in chosen.sources) != (chosen.prometheus is not None):
        raise click.UsageError(
            "give --prometheus-url with --usage-source prometheus, and only then"
        )
    return chosen


def _taken(given: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Take the values of a group of flags out of all."""
    names = [name for name in given if name.startswith(prefix)]
    return {name.removeprefix(prefix): given.pop(name) for name in names}


def _at(asked: dict[str, Any]) -> PrometheusSettings | None:
    if "url" not in asked:
        if any(asked.values()):
            raise click.UsageError("the other flags of Prometheus need --prometheus-url")
        return None
    try:
        return PrometheusSettings(**asked)
    except ValueError as fault:
        raise click.UsageError(f"Prometheus: {fault}") from None


def _source_options() -> Option:
    return compose(
        option(
            "--usage-source",
            "sources",
            metavar="NAME,...",
            default="kubelet",
            show_default=True,
            callback=checked(settings.usage_sources),
            help="Who says how full volumes are: kubelet, prometheus, exec; most trusted first.",
        ),
        option(
            "--interval",
            "interval_seconds",
            metavar="TIME",
            default="60s",
            show_default=True,
            callback=checked(settings.interval_seconds),
            help="Time from one look to the next.",
        ),
        _kubelet_options(),
        _prometheus_options(),
    )


def _kubelet_options() -> Option:
    return compose(
        option(
            "--kubelet-ca-file",
            "kubelet_ca_file",
            metavar="FILE",
            type=_FILE,
            show_default="the cluster's own authority",
            help="Who signs the certificates of kubelets.",
        ),
        option(
            "--kubelet-insecure-tls",
            "kubelet_insecure",
            is_flag=True,
            help="Believe any certificate: for kubelets that sign their own. Whoever answers at a "
            "node's address then gets our token.",
        ),
        option(
            "--kubelet-port",
            "kubelet_port",
            metavar="PORT",
            default=10250,
            show_default=True,
            type=click.IntRange(1, 65535),
            help="Where kubelets listen.",
        ),
    )


def _prometheus_options() -> Option:
    return compose(
        option(
            "--prometheus-url",
            "prometheus_url",
            metavar="URL",
            callback=checked(prometheus.server_url),
            help="A Prometheus, or what speaks like one, that scrapes the kubelets.",
        ),
        option(
            "--prometheus-token-file",
            "prometheus_token_file",
            metavar="FILE",
            type=_FILE,
            help="A bearer token for it; read again for each look.",
        ),
        option(
            "--prometheus-user",
            "prometheus_user",
            metavar="NAME",
            help="A user for it, with --prometheus-password-file.",
        ),
        option(
            "--prometheus-password-file",
            "prometheus_password_file",
            metavar="FILE",
            type=_FILE,
            help="The user's password; read again for each look.",
        ),
        option(
            "--prometheus-ca-file",
            "prometheus_ca_file",
            metavar="FILE",
            type=_FILE,
            help="Who signs its certificate; the machine's own authorities if not given.",
        ),
        option(
            "--prometheus-header",
            "prometheus_headers",
            metavar="NAME:VALUE",
            multiple=True,
            callback=_each(prometheus.header),
            help="A header of each query, such as X-Scope-OrgID:team; may be repeated.",
        ),
        option(
            "--prometheus-matcher",
            "prometheus_matchers",
            metavar="LABEL=VALUE",
            multiple=True,
            callback=_each(prometheus.matcher),
            help='A condition of each query, such as cluster="prod"; may be repeated.',
        ),
    )


def _policy_options() -> Option:
    texts = (
        ("--grow-at", "grow_at", "80%", scaling.grow_at, "A claim this full grows: 80%, 5Gi free."),
        (
            "--grow-at-inodes",
            "inodes_ratio",
            "80%",
            scaling.threshold_ratio,
            "The same for inodes.",
        ),
        (
            "--grow-by",
            "grow_by",
            "power-of-two",
            scaling.grow_by,
            "How far a step goes: power-of-two, 25%, 10Gi.",
        ),
        ("--grow-min", "grow_min_bytes", None, scaling.step_bytes, "The least that a step adds."),
        ("--grow-max", "grow_max_bytes", None, scaling.step_bytes, "The most that a step adds."),
        (
            "--cooldown",
            "cooldown_seconds",
            "6h",
            scaling.cooldown_seconds,
            "The pause after a claim grew.",
        ),
        ("--checks", "checks", "2", scaling.checks, "So many samples in a row must be over it."),
        (
            "--steps-per-day",
            "steps_per_day",
            "4",
            scaling.steps_per_day,
            "The most steps of a template in 24 hours.",
        ),
    )
    return compose(
        *(
            option(
                flag,
                name,
                metavar="TEXT",
                default=default,
                show_default=default is not None,
                callback=checked(read),
                help=f"{text} For sets without the annotation of this name.",
            )
            for flag, name, default, read, text in texts
        )
    )


def _each(convert: Callable[[str], T]) -> Callable[..., tuple[T, ...]]:
    """Return a callback for a flag that may be repeated."""
    one = checked(convert)

    def callback(
        context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
    ) -> tuple[T, ...]:
        found = (one(context, parameter, text) for text in texts)
        return tuple(each for each in found if each is not None)

    return callback
