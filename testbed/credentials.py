"""Certificates, tokens and kubeconfigs of a bed: made anew by each ``up``, never in the clone."""

from __future__ import annotations

import json
import secrets
import shutil
from typing import TYPE_CHECKING

from testbed.bed import KUBERNETES_SERVICE_ADDRESS, NODE_NAME
from testbed.process import run

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.bed import Bed

# {user of the bed: (name, group) in Kubernetes}
TOKEN_USERS = {
    "admin": ("admin", "system:masters"),
    "storage": ("storage", "system:masters"),
    "kwok": ("kwok", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
    "kube-proxy": ("system:kube-proxy", ""),
    "kubelet": (f"system:node:{NODE_NAME}", "system:nodes"),
}
CERTIFICATE_USER = "certificate-admin"


def write_credentials(bed: Bed) -> None:
    """Write all keys and one kubeconfig per user; that of the administrator also as kubeconfig."""
    write_certificates(bed)
    bed.path("kubeconfigs").mkdir()
    lines = []
    for user, (name, group) in TOKEN_USERS.items():
        token = secrets.token_hex(16)
        lines.append(f'{token},{name},{name},"{group}"\n')
        write_kubeconfig(bed.kubeconfig(user), bed.api_url, ca_file(bed), {"token": token})
    bed.path("pki", "tokens.csv").write_text("".join(lines))
    files = {
        "client-certificate": str(bed.path("pki", f"{CERTIFICATE_USER}.crt")),
        "client-key": str(bed.path("pki", f"{CERTIFICATE_USER}.key")),
    }
    write_kubeconfig(bed.kubeconfig(CERTIFICATE_USER), bed.api_url, ca_file(bed), files)
    shutil.copy(bed.kubeconfig("admin"), bed.path("kubeconfig"))


def ca_file(bed: Bed) -> Path:
    """Return the certificate that signs all others."""
    return bed.path("pki", "ca.crt")


def write_kubeconfig(path: Path, api_url: str, ca: Path, user: dict[str, str]) -> None:
    """Write a kubeconfig with one user; only the owner may read it."""
    cluster = {"server": api_url, "certificate-authority": str(ca)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "testbed", "cluster": cluster}],
        "users": [{"name": "testbed", "user": user}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": "testbed"}}],
        "current-context": "testbed",
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=1))


def write_certificates(bed: Bed) -> None:
    """Write the authority, what it signs, and the key of the service account tokens."""
    pki = bed.path("pki")
    pki.mkdir(mode=0o700)
    (pki / "openssl.cnf").write_text("[req]\ndistinguished_name = dn\n[dn]\n")
    write_certificate(
        pki,
        "ca",
        "/CN=testbed",
        ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"),
    )
    client = ("extendedKeyUsage=clientAuth",)
    # As the signer kubernetes.io/kubelet-serving would make it: names and addresses of the node.
    alternatives = f"subjectAltName=DNS:{NODE_NAME},IP:{bed.address}"
    node = ("extendedKeyUsage=serverAuth", alternatives)
    write_certificate(pki, "apiserver", "/CN=kube-apiserver", server_extensions(bed))
    write_certificate(pki, "apiserver-kubelet-client", "/O=system:masters/CN=apiserver", client)
    write_certificate(pki, "kubelet", f"/O=system:nodes/CN=system:node:{NODE_NAME}", node)
    write_certificate(pki, CERTIFICATE_USER, f"/O=system:masters/CN={CERTIFICATE_USER}", client)
    # Kubernetes wants the SEC1 form of this key, which `openssl genpkey` does not write.
    key_type = ("-name", "prime256v1", "-genkey", "-noout")
    run("openssl", "ecparam", *key_type, "-out", "service-account.key", cwd=pki)


def server_extensions(bed: Bed) -> tuple[str, str]:
    names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    addresses = ["127.0.0.1", bed.address, KUBERNETES_SERVICE_ADDRESS]
    alternatives = [f"DNS:{name}" for name in names] + [f"IP:{address}" for address in addresses]
    return ("extendedKeyUsage=serverAuth", "subjectAltName=" + ",".join(alternatives))


def write_certificate(pki: Path, name: str, subject: str, extensions: tuple[str, ...]) -> None:
    """Write NAME.key and NAME.crt, signed by the authority, or by itself for the authority."""
    authority = () if name == "ca" else ("-CA", "ca.crt", "-CAkey", "ca.key")
    # Both identifiers, without which strict checkers (Python 3.13) refuse a chain.
    identifiers = ("subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid:always")
    added = [option for text in (*identifiers, *extensions) for option in ("-addext", text)]
    run(
        *("openssl", "req", "-x509", "-config", "openssl.cnf", "-days", "3650"),
        *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", subject),
        *added,
        *authority,
        cwd=pki,
    )
