"""Where the cluster is: the Pod's ServiceAccount, or a kubeconfig."""

import os
from pathlib import Path

from rso.kube.auth import Access, from_kubeconfig, in_cluster


def find_access(kubeconfig: Path | None, context: str | None) -> Access:
    """Return the access that the flags name; without any, the Pod's own, else the kubeconfig.

    Raises: NoCredentials, with what is missing.
    """
    is_chosen = kubeconfig is not None or context is not None or "KUBECONFIG" in os.environ
    if not is_chosen and "KUBERNETES_SERVICE_HOST" in os.environ:
        return in_cluster()
    return from_kubeconfig(str(kubeconfig) if kubeconfig else None, context)
