"""Which objects a set owns that would lose their owner: the collector cuts the reference.

Pods, claims and revisions are adopted by the new set. A Service or a ConfigMap that names the
set as its owner stays, without an owner, unless its own controller restores the reference
(kubernetes.md S6). Only kinds that people are known to hang on sets are looked at.
"""

import asyncio
from typing import NamedTuple

from rso.app.resources import metadata_only
from rso.core.model import Metadata
from rso.core.world import Key
from rso.kube.client import Client
from rso.kube.errors import Forbidden, NotFound
from rso.kube.transport import Resource


class Dependents(NamedTuple):
    """`kind/name` of what is owned, and the kinds that rights did not reach."""

    owned: tuple[str, ...]
    unseen: tuple[str, ...]


_KINDS = tuple(
    Resource(group, version, plural)
    for group, version, plural in (
        ("", "v1", "configmaps"),
        ("", "v1", "secrets"),
        ("", "v1", "serviceaccounts"),
        ("", "v1", "services"),
        ("apps", "v1", "deployments"),
        ("apps", "v1", "statefulsets"),
        ("autoscaling", "v2", "horizontalpodautoscalers"),
        ("autoscaling.k8s.io", "v1", "verticalpodautoscalers"),
        ("batch", "v1", "cronjobs"),
        ("batch", "v1", "jobs"),
        ("discovery.k8s.io", "v1", "endpointslices"),
        ("monitoring.coreos.com", "v1", "podmonitors"),
        ("monitoring.coreos.com", "v1", "servicemonitors"),
        ("networking.k8s.io", "v1", "ingresses"),
        ("networking.k8s.io", "v1", "networkpolicies"),
        ("policy", "v1", "poddisruptionbudgets"),
        ("rbac.authorization.k8s.io", "v1", "rolebindings"),
        ("rbac.authorization.k8s.io", "v1", "roles"),
    )
)


async def dependents(client: Client, key: Key, uid: str) -> Dependents:
    """Return what the set of this uid owns in its namespace, as far as rights reach."""
    answers = await asyncio.gather(*(_owned(client, each, key, uid) for each in _KINDS))
    owned = [name for answer in answers if answer is not None for name in answer]
    unseen = [kind.plural for kind, answer in zip(_KINDS, answers, strict=True) if answer is None]
    return Dependents(tuple(owned), tuple(unseen))


async def _owned(client: Client, kind: Resource, key: Key, uid: str) -> list[str] | None:
    try:
        listing = await client.list(metadata_only(kind), key.namespace)
    except NotFound:
        return []
    except Forbidden:
        return None
    return [
        f"{kind.plural}/{each.metadata.name}"
        for each in listing.items
        if _names_owner(each.metadata, uid)
    ]


def _names_owner(metadata: Metadata, uid: str) -> bool:
    return any(owner.uid == uid for owner in metadata.owner_references)
