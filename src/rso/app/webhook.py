"""The webhook as a part: its server, its certificate, and its registration, kept up to date."""

import asyncio
import contextlib
import logging

from prometheus_client import CollectorRegistry

from rso.app import resources
from rso.app.log import Logger
from rso.app.pairs import PairFiles
from rso.app.registrar import NotRegistered, Registrar
from rso.app.registration import Scope, fence, webhook_configuration
from rso.app.review_server import ReviewServer
from rso.app.self_signed import SelfSigned, Service, UnusableSecret
from rso.app.settings import WebhookSettings
from rso.app.tls import Served, UnusablePair
from rso.app.webhook_metrics import WebhookMetrics
from rso.core.names import FIELD_MANAGER
from rso.kube.client import Client
from rso.kube.clock import Clock
from rso.kube.errors import KubeError
from rso.kube.transport import Transport

CHECK_SECONDS = 10.0  # how soon a new pair of files, or a renewed authority, is served
_FAULTS = (KubeError, UnusablePair, UnusableSecret, NotRegistered)


class Webhook:
    """Reviews StatefulSets until it is stopped."""

    def __init__(self, settings: WebhookSettings, transport: Transport, clock: Clock) -> None:
        self.metrics = WebhookMetrics(CollectorRegistry())
        self._settings = settings
        self._served = Served()
        self.server = ReviewServer(
            settings.listen, self._served.context, settings.rules, self.metrics
        )
        service = Service(settings.service, settings.service_namespace)
        client = Client(transport, clock=clock, field_manager=FIELD_MANAGER)
        users = (settings.resizer_user, settings.autoscaler_user)
        self._scope = Scope(service, users, settings.namespaces)
        self._registrar = Registrar(client)
        self._self_signed = SelfSigned(client, service, self._served, clock)
        self._files = PairFiles(settings.tls_dir, self._served) if settings.tls_dir else None
        self._stopping = asyncio.Event()
        self._is_registered = False
        self._told = ""
        self._log = Logger(logging.getLogger(__name__))
        self.metrics.follow_expiry(self._served.expiry)

    def stop(self) -> None:
        """Let it end: it is no longer ready from now on, and answers for a farewell."""
        self._stopping.set()

    def missing(self) -> str | None:
        """Return what is missing before API servers may ask; None for nothing."""
        if self._stopping.is_set():
            return "it is stopping"
        return self._served.missing() or (None if self._is_registered else "it is not registered")

    def ailing(self) -> str | None:
        """Return why it should be started again: for nothing that a restart would cure."""
        return None

    async def run(self) -> None:
        """Serve until `stop`.

        Raises: CannotListen.
        """
        await self.server.start()
        try:
            while not self._stopping.is_set():
                await self._refresh()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), CHECK_SECONDS)
            await self.server.leave()
        finally:
            await self.server.stop()

    async def _refresh(self) -> None:
        """Bring certificate and registration up to date; what fails is tried again, and told."""
        try:
            await self._register(await self._certify())
        except _FAULTS as fault:
            told = f"{type(fault).__name__}: {fault}"
            if told != self._told:
                self._log.warning("cannot be brought up to date", error=told)
            self._told = told
        else:
            self._is_registered, self._told = True, ""

    async def _certify(self) -> bytes | None:
        """Serve the certificate that holds now; return what is to be trusted, if we say so."""
        if self._files is None:
            return await self._self_signed.refresh()
        self._files.refresh()
        return None if self._settings.tls == "cert-manager" else self._files.bundle

    async def _register(self, bundle: bytes | None) -> None:
        settings = self._settings
        if not settings.register:
            if settings.tls == "self" and bundle:
                await self._registrar.trust(self._scope.name, bundle)
            return
        is_injected = settings.tls == "cert-manager"
        inject = f"{settings.service_namespace}/{settings.service}" if is_injected else ""
        wanted = webhook_configuration(self._scope)
        await self._registrar.ensure_webhook(wanted, bundle, inject)
        if settings.fence:
            policy, binding = fence(self._scope, settings.autoscaler_user)
            await self._registrar.ensure(resources.POLICIES, policy)
            await self._registrar.ensure(resources.POLICY_BINDINGS, binding)
