"""Keeps the webhook registered: makes its objects, and brings the bundle of trust up to date."""

import base64
import logging
from typing import Any

from rso.app import resources
from rso.app.log import Logger
from rso.app.registration import INJECT
from rso.kube.client import Client, Kind
from rso.kube.errors import AlreadyExists, NotFound

Json = dict[str, Any]


class NotRegistered(Exception):
    """There is no configuration to bring up to date. Its text says what to do."""


class Registrar:
    """Writes only what differs, so that several replicas soon write nothing."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._log = Logger(logging.getLogger(__name__))

    async def ensure(self, kind: Kind[Json], wanted: Json) -> None:
        """Make an object, or bring its spec up to date.

        Raises: KubeError; Conflict, when somebody else wrote just now: try again.
        """
        name = wanted["metadata"]["name"]
        try:
            found = await self._client.get(kind, None, name)
        except NotFound:
            try:
                await self._client.create(kind, None, wanted)
            except AlreadyExists:  # another replica was first
                return
            self._log.info("registered", kind=wanted["kind"], name=name)
            return
        body = {key: part for key, part in wanted.items() if key in ("spec", "webhooks")}
        body = {key: part for key, part in body.items() if not _is_within(part, found.get(key))}
        if body:
            body["metadata"] = {"resourceVersion": found["metadata"]["resourceVersion"]}
            await self._client.patch(kind, None, name, body)
            self._log.info("registration is brought up to date", kind=wanted["kind"], name=name)

    async def ensure_webhook(self, wanted: Json, bundle: bytes | None, inject: str) -> None:
        """Make the webhook's configuration, or bring it up to date, without losing its trust.

        `bundle` is to be trusted; None leaves what others have put there. `inject` is the name of
        cert-manager's Certificate, empty for none.
        """
        try:
            name = wanted["metadata"]["name"]
            found = await self._client.get(resources.MUTATING_WEBHOOKS, None, name)
        except NotFound:
            found = {}
        trusted = _trusted(found, bundle)
        full = with_bundle(wanted, trusted)
        if inject:
            full["metadata"] = {**full["metadata"], "annotations": {INJECT: inject}}
        await self.ensure(resources.MUTATING_WEBHOOKS, full)

    async def trust(self, name: str, bundle: bytes) -> None:
        """Put the bundle into each entry of a configuration that others made.

        Raises: NotRegistered.
        """
        try:
            found = await self._client.get(resources.MUTATING_WEBHOOKS, None, name)
        except NotFound:
            raise NotRegistered(
                f"there is no MutatingWebhookConfiguration {name}; install the chart, or run with "
                "--register"
            ) from None
        full = with_bundle(found, base64.b64encode(bundle).decode())
        if full["webhooks"] != found["webhooks"]:
            version = found["metadata"]["resourceVersion"]
            body = {"metadata": {"resourceVersion": version}, "webhooks": full["webhooks"]}
            await self._client.patch(resources.MUTATING_WEBHOOKS, None, name, body)
            self._log.info("the bundle of trust is brought up to date", name=name)


def with_bundle(configuration: Json, bundle: str) -> Json:
    """Return a configuration whose entries trust this bundle, in base64; empty leaves them."""
    if not bundle:
        return configuration
    entries = [
        {**each, "clientConfig": {**each["clientConfig"], "caBundle": bundle}}
        for each in configuration["webhooks"]
    ]
    return {**configuration, "webhooks": entries}


def _trusted(found: Json, bundle: bytes | None) -> str:
    if bundle is not None:
        return base64.b64encode(bundle).decode()
    known = [each.get("clientConfig", {}).get("caBundle", "") for each in found.get("webhooks", [])]
    return next(filter(None, known), "")


def _is_within(wanted: object, found: object) -> bool:
    """Return whether all that is wanted is there; the API server adds its defaults."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(_is_within(part, found.get(key)) for key, part in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        pairs = zip(wanted, found, strict=False)
        return len(wanted) == len(found) and all(_is_within(*pair) for pair in pairs)
    return wanted == found or (not wanted and not found)
