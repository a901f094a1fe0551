"""Writes an object into the store as an older Kubernetes may have left it: nothing validates it."""

import base64
import json
import sys
from typing import Any

from testbed.cluster import Cluster
from testbed.components import ETCD_URL
from testbed.inside import enter_bed

# Of etcd's HTTP gateway; it listens inside the bed only.
_PUT = """
import sys, urllib.request
request = urllib.request.Request(sys.argv[1], sys.argv[2].encode())
urllib.request.urlopen(request, timeout=20).read()
"""


def store(cluster: Cluster, key: str, found: dict[str, Any]) -> None:
    """Store an object under its key, as in `statefulsets/shop/db`.

    The store knows no resourceVersion: the next one becomes the object's.
    """
    kept = {**found, "metadata": {**found["metadata"], "resourceVersion": None}}
    body = {"key": _encoded(f"/registry/{key}"), "value": _encoded(json.dumps(kept))}
    command = [sys.executable, "-c", _PUT, f"{ETCD_URL}/v3/kv/put", json.dumps(body)]
    assert enter_bed(cluster.bed.state, command) == 0, "etcd refused the object"


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
