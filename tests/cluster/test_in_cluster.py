"""The resizer as a Pod sees the cluster: by its ServiceAccount, without any kubeconfig."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from testbed.cluster import ServiceAccount
from tests.cluster.test_rights import CLUSTER_ONLY, OWN, SETS
from tests.support.rights import rules
from tests.support.sets import Sets, statefulset, template_sizes

MOUNTED = "/var/run/secrets/kubernetes.io/serviceaccount"
# A mount namespace of its own: the directory is there for this process alone, and gone with it.
SCRIPT = f"""
mount -t tmpfs none /var/run
mkdir -p {MOUNTED}
cp "$1"/* {MOUNTED}
shift
exec "$@"
"""


def projected(sets: Sets, account: ServiceAccount, directory: Path) -> Path:
    """Write what the kubelet mounts into a Pod of this account."""
    directory.mkdir()
    (directory / "token").write_text(account.token)
    (directory / "ca.crt").write_bytes(sets.cluster.ca_file.read_bytes())
    (directory / "namespace").write_text(account.namespace)
    return directory


def test_a_service_account_is_all_it_needs(
    sets: Sets, operator_namespace: str, key_dir: Path, tmp_path: Path
) -> None:
    """With the mounted token, the authority and two variables, as in each Pod, sets are resized."""
    sets.make(statefulset(replicas=0))
    account = sets.cluster.service_account(
        operator_namespace, rules(OWN), rules(SETS | CLUSTER_ONLY)
    )
    api = urlsplit(sets.cluster.url)
    environment = {
        "PATH": os.environ["PATH"],
        "KUBERNETES_SERVICE_HOST": api.hostname or "",
        "KUBERNETES_SERVICE_PORT": str(api.port),
    }
    command = [
        *("unshare", "--mount", "sh", "-ec", SCRIPT, "sh"),
        str(projected(sets, account, tmp_path / "mounted")),
        *(str(Path(sys.executable).with_name("rso")), "resizer", "--metrics-bind=0"),
        f"--namespace={sets.namespace}",
        f"--operator-namespace={operator_namespace}",
        f"--key-dir={key_dir}",
    ]
    output = tmp_path / "resizer.log"
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
    try:
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done: data=2Gi")
    finally:
        process.terminate()
        code = process.wait(40)

    assert 0 == code, output.read_text()
    assert {"data": "2Gi"} == template_sizes(sets.get("db"))
    assert not Path(MOUNTED).exists()
