"""An admission webhook of a test's own, which the API server of the bed reaches."""

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from testbed.cluster import Cluster
from testbed.credentials import write_certificate

Json = dict[str, Any]
Review = Callable[[Json], Json]
ASKED_SECONDS = 30.0
_PROBED = "configmaps"  # of a kind that no test's review is about


@contextmanager
def webhook(  # noqa: PLR0913  a keyword for each way of a webhook
    cluster: Cluster,
    namespace: str,
    directory: Path,
    review: Review,
    *,
    kind: str = "Validating",
    side_effects: str = "None",
    operation: str = "CREATE",
) -> Iterator[str]:
    """Run a webhook for creates of StatefulSets in a namespace; yield its name once it is asked.

    `review(request)` returns the response without its uid. `kind` is Validating or Mutating;
    `operation` may be another one, as DELETE.
    """
    is_asked = threading.Event()
    server = _server(cluster, directory, review, is_asked)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    name = f"{namespace}.example.com"
    try:
        cluster.apply(
            _configuration(cluster, namespace, directory, server, (kind, side_effects, operation))
        )
        cluster.wait(
            lambda: _probe(cluster, namespace) and is_asked.is_set(),
            ASKED_SECONDS,
            "the API server asks the webhook",
        )
        yield name
    finally:
        cluster.delete(f"{kind.lower()}webhookconfiguration", name)
        server.shutdown()
        server.server_close()
        thread.join()


def _probe(cluster: Cluster, namespace: str) -> bool:
    """Make a ConfigMap, dry: the API server learns of a new webhook only after a moment."""
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "probe"}}
    path = f"/api/v1/namespaces/{namespace}/{_PROBED}?dryRun=All"
    return cluster.api.send("POST", path, manifest)[0] == HTTPStatus.CREATED


def _server(
    cluster: Cluster, directory: Path, review: Review, is_asked: threading.Event
) -> ThreadingHTTPServer:
    (directory / "openssl.cnf").write_text("[req]\ndistinguished_name = dn\n[dn]\n")
    alternatives = f"subjectAltName=IP:{cluster.host_address}"
    write_certificate(directory, "ca", "/CN=webhook", (alternatives,))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            request = body["request"]
            is_probe = request["resource"]["resource"] == _PROBED
            verdict = {"allowed": True} if is_probe else review(request)
            is_asked.set()
            answer = {**body, "response": {"uid": request["uid"], **verdict}}
            del answer["request"]
            payload = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: object) -> None:
            """Stay silent: the test tells."""

    server = ThreadingHTTPServer((cluster.host_address, 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "ca.crt", directory / "ca.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return server


def _rule(group: str, plural: str, operation: str) -> Json:
    return {
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "resources": [plural],
        "operations": [operation],
    }


def _configuration(
    cluster: Cluster,
    namespace: str,
    directory: Path,
    server: ThreadingHTTPServer,
    options: tuple[str, str, str],
) -> Json:
    kind, side_effects, operation = options
    bundle = base64.b64encode((directory / "ca.crt").read_bytes()).decode()
    rules = [_rule("apps", "statefulsets", operation), _rule("", _PROBED, "CREATE")]
    name = f"{namespace}.example.com"
    entry = {
        "name": name,
        "admissionReviewVersions": ["v1"],
        "sideEffects": side_effects,
        "clientConfig": {
            "url": f"https://{cluster.host_address}:{server.server_address[1]}/",
            "caBundle": bundle,
        },
        "rules": rules,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [entry],
    }
