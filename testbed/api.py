"""Requests to a bed's API server, by whole objects; a kubectl call costs 0.15 s, this 2 ms."""

from __future__ import annotations

import http.client
import json
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from testbed.connections import Connections
from testbed.credentials import ca_file
from testbed.process import BedError

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.bed import Bed

Object = dict[str, Any]
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
NOT_FOUND = 404
# Looked through in this order, so that a kind means the one people mean.
GROUP_VERSIONS = (
    "v1",
    "apps/v1",
    "storage.k8s.io/v1",
    "batch/v1",
    "policy/v1",
    "rbac.authorization.k8s.io/v1",
    "admissionregistration.k8s.io/v1",
    "apiextensions.k8s.io/v1",
    "coordination.k8s.io/v1",
)


class ApiRefusal(BedError):
    """The API server answered with an error; ``code`` is its HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind as discovery tells it."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    names: frozenset[str]

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """Return the path of an object, or of all."""
        prefix = "/api/" if "/" not in self.api_version else "/apis/"
        middle = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        end = f"/{name}" if name else ""
        return f"{prefix}{self.api_version}{middle}/{self.plural}{end}"


@dataclass(frozen=True)
class Api:
    """One user of one API server; any thread may ask."""

    url: str
    ca: Path
    token: str
    _resources: dict[str, list[Resource]] = field(default_factory=dict, repr=False)

    @cached_property
    def _connections(self) -> Connections:
        return Connections(self.url, self.ca)

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def open(self, path: str) -> tuple[http.client.HTTPSConnection, http.client.HTTPResponse]:
        """Return a connection of the caller's own and the answer that begins on it.

        Raises: OSError, when there is none.
        """
        connection = self._connections.new()
        try:
            connection.request("GET", path, headers=self._headers)
            return connection, connection.getresponse()
        except http.client.HTTPException as error:
            connection.close()
            raise ConnectionError(str(error)) from error
        except OSError:
            connection.close()
            raise

    def send(
        self, method: str, path: str, body: object = None, content_type: str = "application/json"
    ) -> tuple[int, bytes]:
        """Return status and body of any answer; OSError when there is none within 30 s.

        On a connection that was used before, if there is one: should that have died meanwhile, the
        request is sent on a new one. What must not be done twice gets a new one at once.
        """
        payload = None if body is None else json.dumps(body)
        headers = {**self._headers, "Content-Type": content_type}
        kept = self._connections.idle() if method != "POST" else None
        if kept is not None:
            with suppress(ConnectionError, ssl.SSLError):
                return self._exchange(kept, method, path, payload, headers)
        return self._exchange(self._connections.new(), method, path, payload, headers)

    def _exchange(
        self,
        connection: http.client.HTTPSConnection,
        method: str,
        path: str,
        payload: str | None,
        headers: dict[str, str],
    ) -> tuple[int, bytes]:
        try:
            connection.request(method, path, payload, headers)
            answer = connection.getresponse()
            body = answer.read()
        except http.client.HTTPException as error:
            connection.close()
            raise ConnectionError(str(error)) from error
        except OSError:
            connection.close()
            raise
        self._connections.give_back(connection)
        return answer.status, body

    def request(
        self, method: str, path: str, body: object = None, content_type: str = "application/json"
    ) -> Object:
        """Return the object answered.

        Raises: ApiRefusal, when the server answers with an error; OSError, when not at all.
        """
        status, answer = self.send(method, path, body, content_type)
        decoded: Object = json.loads(answer) if answer.startswith(b"{") else {}
        if status >= http.client.BAD_REQUEST:
            raise ApiRefusal(status, decoded.get("message", answer.decode(errors="replace")))
        return decoded

    def is_ready(self) -> bool:
        """Tell whether the server says that it is ready."""
        try:
            return self.send("GET", "/readyz")[0] == http.client.OK
        except OSError:
            return False

    def resource(self, name: str, api_version: str | None = None) -> Resource:
        """Return the resource by kind, plural, singular or short name, in any case.

        Raises: BedError, when the server has none.
        """
        for group_version in (api_version,) if api_version else GROUP_VERSIONS:
            for resource in self._discovered(group_version):
                if name.lower() in resource.names:
                    return resource
        raise BedError(f"the API server knows no {name}")

    def _discovered(self, group_version: str) -> list[Resource]:
        if group_version not in self._resources:
            prefix = "/apis/" if "/" in group_version else "/api/"
            listed = self.request("GET", prefix + group_version)["resources"]
            self._resources[group_version] = [
                _resource(group_version, entry) for entry in listed if "/" not in entry["name"]
            ]
        return self._resources[group_version]

    def get(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """Return an object, None when there is none."""
        try:
            return self.request("GET", self.resource(kind).path(namespace, name))
        except ApiRefusal as refusal:
            if refusal.code == NOT_FOUND:
                return None
            raise

    def list(self, kind: str, namespace: str | None = None, labels: str = "") -> list[Object]:
        """Return the objects of a namespace, or of all."""
        query = f"?{urlencode({'labelSelector': labels})}" if labels else ""
        items: list[Object] = self.request("GET", self.resource(kind).path(namespace) + query)[
            "items"
        ]
        return items

    def apply(self, obj: Object, namespace: str | None = None) -> Object:
        """Make or change an object, by server-side apply of field manager ``testbed``."""
        metadata = obj["metadata"]
        resource = self.resource(obj["kind"], obj["apiVersion"])
        path = resource.path(metadata.get("namespace", namespace), metadata["name"])
        return self.request("PATCH", f"{path}?fieldManager=testbed&force=true", obj, APPLY)

    def merge(self, kind: str, name: str, namespace: str | None, patch: Object) -> Object:
        """Change an object by a merge patch."""
        return self.request("PATCH", self.resource(kind).path(namespace, name), patch, MERGE)

    def delete(
        self, kind: str, name: str, namespace: str | None = None, propagation: str = "Background"
    ) -> None:
        """Delete an object; one that is not there is no error."""
        try:
            path = self.resource(kind).path(namespace, name)
            self.request("DELETE", path, {"propagationPolicy": propagation})
        except ApiRefusal as refusal:
            if refusal.code != NOT_FOUND:
                raise


def _resource(group_version: str, entry: Object) -> Resource:
    names = [entry["name"], entry["kind"], entry["singularName"], *entry.get("shortNames", [])]
    return Resource(
        group_version,
        entry["kind"],
        entry["name"],
        entry["namespaced"],
        frozenset(name.lower() for name in names),
    )


def admin_api(bed: Bed) -> Api:
    """Return the administrator's access to a bed, whose credentials are written."""
    return Api(bed.api_url, ca_file(bed), kubeconfig_token(bed.kubeconfig("admin")))


def kubeconfig_token(path: Path) -> str:
    """Return the token in one of the bed's own kubeconfigs."""
    token: str = json.loads(path.read_text())["users"][0]["user"]["token"]
    return token
