"""A running bed as tests see it."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from testbed.api import Api, Object, admin_api
from testbed.bed import Bed, load_record
from testbed.credentials import CERTIFICATE_USER, write_kubeconfig
from testbed.csi.faults import fault_file, write_fault
from testbed.inside import send_signal
from testbed.process import BedError, run, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

GRANT_SECONDS = 20.0
NAMES = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """An identity with exactly the rights that a test gave it."""

    namespace: str
    name: str
    token: str
    kubeconfig: Path

    @property
    def username(self) -> str:
        """Its name for the API server."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"


class Cluster:
    """A bed that is up, and short ways to its API, its faults and its programs.

    ``api`` is the administrator's access; ``get``, ``list``, ``apply``, ``merge`` and ``delete``
    are its own. Kinds are named as people do: ``statefulset``, ``sts``, ``pvc``. ``is_passing``
    says that the bed ends soon, whatever is left in it.
    """

    def __init__(self, state: Path, *, is_passing: bool = False) -> None:
        self.bed: Bed = load_record(state)[0]
        self._is_passing = is_passing
        self.api: Api = admin_api(self.bed)
        self.get = self.api.get
        self.list = self.api.list
        self.apply = self.api.apply
        self.merge = self.api.merge
        self.delete = self.api.delete

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, with a token."""
        return self.bed.path("kubeconfig")

    @property
    def certificate_kubeconfig(self) -> Path:
        """Another administrator's kubeconfig, with a client certificate."""
        return self.bed.kubeconfig(CERTIFICATE_USER)

    @property
    def url(self) -> str:
        """The API server."""
        return self.bed.api_url

    @property
    def ca_file(self) -> Path:
        """The certificate that signs the API server's."""
        return self.api.ca

    @property
    def token(self) -> str:
        """The administrator's token."""
        return self.api.token

    @property
    def host_address(self) -> str:
        """Where a webhook of a test must listen for the API server to reach it."""
        return self.bed.host_address

    @property
    def environment(self) -> dict[str, str]:
        """An environment for programs under test: only this cluster, none of the caller's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KUBE")}
        return kept | {"KUBECONFIG": str(self.kubeconfig)}

    def kubectl(
        self,
        *arguments: str,
        stdin: str | Object | None = None,
        kubeconfig: Path | None = None,
    ) -> str:
        """Return what kubectl prints, as the administrator or as another kubeconfig says.

        Raises: BedError, with what it said, when it fails.
        """
        text = json.dumps(stdin) if isinstance(stdin, dict) else stdin
        program = (self.bed.program("kubectl"), f"--kubeconfig={kubeconfig or self.kubeconfig}")
        return run(*program, *arguments, stdin=text)

    def helm(self, *arguments: str) -> str:
        """Return what Helm prints; BedError when it fails."""
        return run(self.bed.program("helm"), f"--kubeconfig={self.kubeconfig}", *arguments)

    def wait(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        """Return once the condition holds; a server that is away does not make it fail.

        Raises: BedError, naming ``what``, when it does not within the seconds.
        """

        def holds() -> object:
            try:
                return condition()
            except OSError:
                return False

        wait_until(holds, seconds, what)

    def make_namespace(self, labels: Mapping[str, str] | None = None) -> str:
        """Return the name of a new namespace in which Pods can be made at once."""
        name = "test-" + "".join(secrets.choice(NAMES) for _ in range(8))
        metadata = {"name": name, "labels": dict(labels or {})}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        # The controller manager would make it too, after a while; a Pod before it is refused.
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        self.apply(account, name)
        return name

    def leave_namespace(self, name: str) -> None:
        """Have done with a namespace: it is deleted, or it ends with a bed that passes.

        To sweep one, the controller manager asks for each kind there is, twice: the API server
        works longer for that than for most tests.
        """
        if not self._is_passing:
            self.delete("namespace", name)

    def service_account(
        self,
        namespace: str,
        rules: Sequence[Object] = (),
        cluster_rules: Sequence[Object] = (),
    ) -> ServiceAccount:
        """Return a new ServiceAccount that has exactly these PolicyRules.

        ``rules`` hold in its namespace, ``cluster_rules`` everywhere; the latter live as long as
        the bed. The token is valid for an hour.
        """
        name = "account-" + secrets.token_hex(4)
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
        self.apply(account, namespace)
        if rules:
            self._grant("Role", namespace, name, rules)
        if cluster_rules:
            self._grant("ClusterRole", namespace, name, cluster_rules)
        self.wait_granted(f"system:serviceaccount:{namespace}:{name}", namespace, rules)
        self.wait_granted(f"system:serviceaccount:{namespace}:{name}", None, cluster_rules)
        token = self.make_token(namespace, name)
        kubeconfig = self.bed.path("kubeconfigs", f"{namespace}.{name}")
        write_kubeconfig(kubeconfig, self.url, self.ca_file, {"token": token})
        return ServiceAccount(namespace, name, token, kubeconfig)

    def make_token(self, namespace: str, name: str) -> str:
        """Return a token of a ServiceAccount, valid for an hour."""
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        token: str = self.api.request("POST", path, request)["status"]["token"]
        return token

    def wait_granted(self, username: str, namespace: str | None, rules: Sequence[Object]) -> None:
        """Return once the authorizer allows a user each of these PolicyRules.

        It learns of a new role a moment after the API server has stored it. A rule that names
        objects is asked for the first of them; a namespace of None means everywhere.

        Raises: BedError.
        """
        questions = [each for rule in rules for each in _questions(rule, namespace)]
        self.wait(
            lambda: all(self._is_allowed(username, each) for each in questions),
            GRANT_SECONDS,
            f"the rights of {username} hold",
        )

    def _is_allowed(self, username: str, attributes: Object) -> bool:
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": username, "resourceAttributes": attributes},
        }
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        allowed: bool = self.api.request("POST", path, review)["status"]["allowed"]
        return allowed

    def _grant(self, kind: str, namespace: str, name: str, rules: Sequence[Object]) -> None:
        rbac = "rbac.authorization.k8s.io"
        metadata = {"name": name}
        role = {"apiVersion": f"{rbac}/v1", "kind": kind, "metadata": metadata, "rules": [*rules]}
        binding = {
            "apiVersion": f"{rbac}/v1",
            "kind": f"{kind}Binding",
            "metadata": metadata,
            "roleRef": {"apiGroup": rbac, "kind": kind, "name": name},
            "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": name}],
        }
        self.apply(role, namespace)
        self.apply(binding, namespace)

    def csi_fault(
        self,
        method: str,
        volume: str | None = None,
        **fault: Any,  # noqa: ANN401 # a line of JSON
    ) -> None:
        """Make the CSI driver fail or wait; the words are those of ``testbed/csi/faults.py``.

        It holds for the whole bed unless ``volume`` names one: a test that shares its cluster says
        which volume it means (``csi_volume``).
        """
        write_fault(fault_file(self.bed.path("faults"), method, volume), fault)

    def end_csi_fault(self, method: str, volume: str | None = None) -> None:
        """End a fault; one that has ended by itself is no error."""
        fault_file(self.bed.path("faults"), method, volume).unlink(missing_ok=True)

    def csi_volume(self, namespace: str, claim: str) -> str:
        """Return the driver's id of a bound claim's volume.

        Raises: BedError, when the claim is not bound.
        """
        found = self.get("pvc", claim, namespace) or {}
        volume = self.get("pv", found.get("spec", {}).get("volumeName") or "-")
        if volume is None:
            raise BedError(f"claim {namespace}/{claim} is not bound")
        handle: str = volume["spec"]["csi"]["volumeHandle"]
        return handle

    def csi_calls(self, volume: str | None = None) -> list[Object]:
        """Return the calls the CSI driver has had, oldest first, of one volume or of all."""
        try:
            lines = self.bed.path("csi-calls.jsonl").read_text().splitlines()
        except FileNotFoundError:
            return []
        calls: list[Object] = [json.loads(line) for line in lines]
        return [call for call in calls if volume in (None, call["volume"])]

    def signal(self, component: str, signal: str) -> None:
        """Send a component STOP, CONT, or KILL, after which it is started again."""
        send_signal(self.bed.state, component, signal)


def _questions(rule: Object, namespace: str | None) -> list[Object]:
    """Return the attributes of an access review for everything that a PolicyRule grants."""
    return [
        {
            "group": group,
            "resource": resource.partition("/")[0],
            "subresource": resource.partition("/")[2],
            "verb": verb,
            "namespace": namespace or "",
            "name": next(iter(rule.get("resourceNames", ())), ""),
        }
        for group in rule.get("apiGroups", ())
        for resource in rule.get("resources", ())
        for verb in rule["verbs"]
    ]
