"""The usage sources that the settings name."""

from rso.app.settings import AutoscalerSettings, UsageSource
from rso.app.usage.exec import ExecSettings, ExecSource
from rso.app.usage.kubelet import KubeletSource
from rso.app.usage.prometheus import PrometheusSource
from rso.app.usage.source import InOrder, Source
from rso.kube.auth import Access
from rso.kube.clock import Clock


def choose(settings: AutoscalerSettings, access: Access, clock: Clock) -> Source:
    """Return the chosen sources as one, most trusted first."""
    return InOrder([_make(each, settings, access, clock) for each in settings.sources])


def _make(name: UsageSource, settings: AutoscalerSettings, access: Access, clock: Clock) -> Source:
    if name == "kubelet":
        return KubeletSource(settings.kubelet, access.credentials, clock)
    if name == "exec":
        return ExecSource(ExecSettings(), access, clock)
    if settings.prometheus is None:
        raise ValueError("the usage source prometheus needs an address")
    return PrometheusSource(settings.prometheus, clock)
