"""Asks what we may do, where the answer to the request itself would leave it open."""

from rso.app import resources
from rso.kube.client import Client
from rso.kube.errors import Forbidden
from rso.kube.transport import Resource


async def demand(client: Client, verb: str, resource: Resource, namespace: str) -> None:
    """Return if the API server's authorizer allows this.

    Any user may ask. `client` must be one without `may_write`: to ask changes nothing.
    Raises: Forbidden, in the authorizer's own words.
    """
    attributes = {
        "verb": verb,
        "group": resource.group,
        "resource": resource.plural,
        "namespace": namespace,
    }
    review = await client.create(
        resources.ACCESS_REVIEWS,
        None,
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        },
    )
    if not review["status"].get("allowed", False):
        raise Forbidden(
            403,
            "Forbidden",
            f'you cannot {verb} resource "{resource.plural}" in API group "{resource.group}" in '
            f'the namespace "{namespace}"',
        )
