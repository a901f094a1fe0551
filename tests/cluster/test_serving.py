"""What a running process serves: probes and metrics, of the leader and of the standby."""

import socket
import urllib.error
import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.cluster.processes import resizer
from tests.support.rights import bind, rules
from tests.support.sets import Sets, statefulset

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def free_address() -> str:
    """Return an address of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host, port = probe.getsockname()
        return f"{host}:{port}"


def get(address: str, path: str) -> tuple[int, str]:
    """Return status and text of an answer; status 0: there is none."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except urllib.error.URLError:
        return 0, ""


def series(address: str) -> Series:
    """Return the value of each series of ours."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(get(address, "/metrics")[1])
        for sample in family.samples
        if sample.name.startswith("rso_")
    }


def leads(address: str) -> bool:
    """Return whether the process there is the leader."""
    return series(address)[("rso_leader", ())] == 1


def test_leader_and_standby_are_alive_ready_and_told_apart(
    sets: Sets, operator_namespace: str, key_dir: Path, tmp_path: Path
) -> None:
    """Both answer both probes with 200; the metric says who works, and no series comes later."""
    sets.make(statefulset(replicas=0))
    addresses = free_address(), free_address()
    shared = (
        f"--kubeconfig={sets.cluster.kubeconfig}",
        f"--operator-namespace={operator_namespace}",
        f"--key-dir={key_dir}",
    )
    (tmp_path / "second").mkdir()

    with resizer(sets, tmp_path, *shared, f"--metrics-bind={addresses[0]}"):
        sets.wait(lambda: get(addresses[0], "/readyz")[0] == 200, "the first one is ready")
        sets.wait(lambda: leads(addresses[0]), "it leads")
        with resizer(sets, tmp_path / "second", *shared, f"--metrics-bind={addresses[1]}"):
            sets.wait(lambda: get(addresses[1], "/readyz")[0] == 200, "the second one is ready")
            before = series(addresses[0])
            probes = [get(each, path) for each in addresses for path in ("/healthz", "/readyz")]
            sets.annotate("db", resize_0="2Gi")
            sets.wait_status("db", "Done: data=2Gi")
            after, standby = series(addresses[0]), series(addresses[1])

    assert [(200, "ok\n")] * 4 == probes
    assert (1, 0) == (after[("rso_leader", ())], standby[("rso_leader", ())])
    assert before.keys() == after.keys() == standby.keys()
    done = ("rso_recreates_total", (("result", "done"),))
    assert (0, 1, 0) == (before[done], after[done], standby[done])


def test_a_process_that_cannot_see_the_cluster_is_alive_but_not_ready(
    sets: Sets, operator_namespace: str, key_dir: Path, tmp_path: Path
) -> None:
    """Without the right to list claims it is not ready and says what is missing, in words."""
    own = {"namespaces": {"get"}, "configmaps": {"list", "watch"}, "leases": {"get"}}
    account = sets.cluster.service_account(operator_namespace, rules(own))
    bind(sets.cluster, sets.namespace, account, {"statefulsets": {"list", "watch"}})
    address = free_address()
    flags = (
        f"--kubeconfig={account.kubeconfig}",
        f"--operator-namespace={operator_namespace}",
        f"--key-dir={key_dir}",
        f"--metrics-bind={address}",
        "--no-leader-elect",
    )

    with resizer(sets, tmp_path, *flags):
        sets.wait(lambda: get(address, "/readyz")[0], "it answers")
        answers = get(address, "/healthz"), get(address, "/readyz")

    assert (200, "ok\n") == answers[0]
    lists = "not every list of StatefulSets, claims and backups is complete yet\n"
    assert (503, lists) == answers[1]
