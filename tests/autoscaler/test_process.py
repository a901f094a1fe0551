"""`rso autoscaler` as a process: probes, metrics, its settings, its end."""

import json
import signal
from pathlib import Path

import pytest

from testbed.cluster import Cluster
from tests.cluster.processes import part
from tests.cluster.test_serving import free_address, get


def test_it_serves_probes_and_metrics_and_ends_with_0(
    cluster: Cluster, namespace: str, operator_namespace: str, tmp_path: Path
) -> None:
    """Ready when its caches are complete, every series at zero, lines of JSON; SIGTERM is a 0."""
    probes = free_address()
    flags = (
        f"--kubeconfig={cluster.kubeconfig}",
        f"--namespace={namespace}",
        f"--operator-namespace={operator_namespace}",
        f"--metrics-bind={probes}",
        "--interval=1s",
        "--log-format=json",
    )
    with part(tmp_path, "autoscaler", *flags) as process:

        def looks() -> str:
            assert process.popen.poll() is None, process.log
            is_ready = get(probes, "/readyz")[0] == 200
            metrics = get(probes, "/metrics")[1] if is_ready else ""
            return metrics if "rso_autoscale_seconds_count 0.0" not in metrics else ""

        cluster.wait(looks, 40, "it has looked")
        metrics, healthy = looks(), get(probes, "/healthz")
        process.popen.send_signal(signal.SIGTERM)
        code = process.wait()

    lines = [json.loads(line) for line in process.log.splitlines()]
    assert 0 == code
    assert (200, "ok\n") == healthy
    assert 'rso_autoscaled_templates{reason="AtLimit"} 0.0' in metrics
    assert "rso_leader 1.0" in metrics
    told = [each["message"] for each in lines]
    assert ("autoscaler starts", "autoscaler ends") == (told[0], told[-1])
    assert "kubelet" == lines[0]["sources"]


@pytest.mark.parametrize(
    ("flag", "sentence"),
    [
        ("--grow-at=5%", "write a share from 20% to 99%"),
        ("--cooldown=soon", "is no time; write 90s, 10m or 1h30m"),
        ("--usage-source=guess", "is no list of usage sources"),
        ("--usage-source=prometheus", "give --prometheus-url with --usage-source prometheus"),
        ("--prometheus-url=ftp://a", "is no address; write http://HOST:PORT/PATH"),
        ("--prometheus-header=a b", "is no header; write Name: value"),
        ("--prometheus-user=me", "the other flags of Prometheus need --prometheus-url"),
        ("--interval=0", "is no pause between two looks; write 1s to 1h"),
        ("--max-size=much", "--max-size"),
    ],
)
def test_a_bad_flag_names_itself_before_anything_starts(
    tmp_path: Path, flag: str, sentence: str
) -> None:
    """Exit code 2, with the flag and what is allowed."""
    with part(tmp_path, "autoscaler", flag) as process:
        code = process.wait()

    assert 2 == code
    assert sentence in process.log
