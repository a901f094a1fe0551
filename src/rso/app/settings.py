"""What an operator is told at start, checked once.

The functions turn one text each into a value. They raise ValueError with a sentence that says what
is allowed; the caller adds the name of the flag.
"""

import re
import secrets
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast, get_args

from rso.app.usage.kubelet import KubeletSettings
from rso.app.usage.prometheus import PrometheusSettings
from rso.core.judge import Limits
from rso.core.policy import Bounds
from rso.core.quantity import size
from rso.core.rules import OnSmaller, Rules
from rso.core.scaling import Scaling
from rso.core.times import duration_seconds

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]
TemplateFollows = Literal["always", "never"]
Tls = Literal["self", "files", "cert-manager"]
UsageSource = Literal["kubelet", "prometheus", "exec"]
Address = tuple[str, int]

LEAST_MAX_AGE_SECONDS = 300.0  # a Prometheus scrapes each minute, a kubelet measures as often
LOOKS_OF_A_SAMPLE = 3

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\]", re.ASCII)
_IDENTITY = re.compile(r"[A-Za-z0-9._-]{1,253}", re.ASCII)
# No quote and no backslash: it becomes a part of an expression.
_USER = re.compile(r"[A-Za-z0-9:@._/-]{1,253}", re.ASCII)
_LEAST_INTERVAL, _MOST_INTERVAL = 1.0, 3600.0
_MAX_COUNT = 1000  # more workers than any API server serves


def default_identity() -> str:
    """Return a name that no other process has: in a Pod the host name is the Pod's.

    A container that is started again keeps its host name and is another holder of the Lease.
    """
    return f"{socket.gethostname()}_{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a resizer.

    No `namespaces` means all. Without a `key_dir` claims grow and no set is recreated. Without a
    `metrics_bind` nothing listens; its host is empty for all addresses of the machine.
    """

    kubeconfig: Path | None = None
    context: str | None = None
    namespaces: tuple[str, ...] = ()
    operator_namespace: str = "rso-system"
    leader_elect: bool = True
    identity: str = field(default_factory=default_identity)
    concurrency: int = 8
    recreate_concurrency: int = 1
    max_size_bytes: int = 2000 * 2**30
    max_factor: int = 10
    template_follows: TemplateFollows = "never"
    key_dir: Path | None = None
    metrics_bind: Address | None = ("", 8080)
    log_format: LogFormat = "text"
    log_level: LogLevel = "info"

    @property
    def bounds(self) -> Bounds:
        """What these settings allow a set; volumes are cluster-wide, so a Role cannot read them."""
        return Bounds(
            max_size_bytes=self.max_size_bytes,
            max_factor=self.max_factor,
            template_follows=self.template_follows == "always",
            reads_volumes=not self.namespaces,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalerSettings:
    """The settings of an autoscaler.

    `sources` are asked in this order: the next one for what the former did not know.
    """

    kubeconfig: Path | None = None
    context: str | None = None
    namespaces: tuple[str, ...] = ()
    operator_namespace: str = "rso-system"
    leader_elect: bool = True
    identity: str = field(default_factory=default_identity)
    sources: tuple[UsageSource, ...] = ("kubelet",)
    kubelet: KubeletSettings = field(default_factory=KubeletSettings)
    prometheus: PrometheusSettings | None = None
    interval_seconds: float = 60.0
    scaling: Scaling = field(default_factory=Scaling)
    max_size_bytes: int = 2000 * 2**30
    max_factor: int = 10
    metrics_bind: Address | None = ("", 8080)
    log_format: LogFormat = "text"
    log_level: LogLevel = "info"

    @property
    def limits(self) -> Limits:
        """What these settings say where a set says nothing, and what holds for every set."""
        bounds = Bounds(self.max_size_bytes, self.max_factor, template_follows=False)
        oldest = max(LEAST_MAX_AGE_SECONDS, LOOKS_OF_A_SAMPLE * self.interval_seconds)
        return Limits(bounds, self.scaling, oldest)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """The settings of a webhook.

    With `tls` files or cert-manager the pair lies in `tls_dir`, as `tls.crt` and `tls.key`.
    `resizer_user` and `autoscaler_user` are those of the operator's other parts.
    """

    service: str
    service_namespace: str
    kubeconfig: Path | None = None
    context: str | None = None
    namespaces: tuple[str, ...] = ()
    listen: Address = ("", 8443)
    register: bool = True
    fence: bool = True
    tls: Tls = "self"
    tls_dir: Path | None = None
    resizer_user: str = ""
    autoscaler_user: str = ""
    on_smaller: OnSmaller = "deny"
    max_size_bytes: int = 2000 * 2**30
    max_factor: int = 10
    metrics_bind: Address | None = ("", 8080)
    log_format: LogFormat = "text"
    log_level: LogLevel = "info"

    @property
    def rules(self) -> Rules:
        """What these settings allow a request."""
        bounds = Bounds(self.max_size_bytes, self.max_factor, template_follows=False)
        return Rules(bounds, self.on_smaller)


def user(text: str) -> str:
    """Return the name of a user as the API server knows it, such as a ServiceAccount's."""
    if not _USER.fullmatch(text):
        raise ValueError(
            f"{text!a} is no user; a ServiceAccount is system:serviceaccount:NAMESPACE:NAME"
        )
    return text


def usage_sources(text: str) -> tuple[UsageSource, ...]:
    """Return the usage sources of a list with commas, most trusted first."""
    known = get_args(UsageSource)
    found = tuple(part.strip() for part in text.split(","))
    if len(set(found)) != len(found) or not set(found) <= set(known):
        raise ValueError(f"{text!a} is no list of usage sources; write {', '.join(known)}, or some")
    return cast("tuple[UsageSource, ...]", found)


def interval_seconds(text: str) -> float:
    """Return a pause between two looks, 1s to 1h."""
    seconds = duration_seconds(text)
    if not _LEAST_INTERVAL <= seconds <= _MOST_INTERVAL:
        raise ValueError(f"{text!a} is no pause between two looks; write 1s to 1h, such as 60s")
    return seconds


def bind_address(text: str) -> Address | None:
    """Return where to listen: `:8080`, `127.0.0.1:8080`, `[::1]:8080`; None for `0`, which is off.

    Port 0 lets the system choose.
    """
    if text == "0":
        return None
    host, colon, port = text.rpartition(":")
    is_port = _PORT.fullmatch(port) and int(port) < 2**16
    if not (colon and is_port and _HOST.fullmatch(host)):
        raise ValueError(f"{text!a} is no address; write host:port, :port for all, or 0 for off")
    return host.strip("[]"), int(port)


def namespace(text: str) -> str:
    """Return the name of a namespace: a label of RFC 1123."""
    if not _LABEL.fullmatch(text):
        raise ValueError(f"{text!a} is no namespace; its letters are a-z, 0-9 and '-', at most 63")
    return text


def namespaces(text: str) -> tuple[str, ...]:
    """Return the namespaces of a list with commas, each once, in the order given."""
    return tuple(dict.fromkeys(namespace(part.strip()) for part in text.split(",")))


def count(text: str) -> int:
    """Return a whole number from 1 to 1,000."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= _MAX_COUNT:
        raise ValueError(f"{text!a} is no whole number from 1 to {_MAX_COUNT}")
    return int(text)


def size_bytes(text: str) -> int:
    """Return the whole bytes of a size as people write it."""
    return size(text).bytes


def identity(text: str) -> str:
    """Return a name for the holder of the Lease."""
    if not _IDENTITY.fullmatch(text):
        raise ValueError(
            f"{text!a} is no identity; write letters, digits, '.', '_' and '-', at most 253"
        )
    return text
