"""Every usage source against a real kubelet, a real Prometheus and a real API server."""

import asyncio
import json
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from rso.app.usage.exec import ExecSettings, ExecSource
from rso.app.usage.kubelet import KubeletSettings, KubeletSource
from rso.app.usage.prometheus import PrometheusSettings, PrometheusSource
from rso.app.usage.source import Fault, Measured, Source, Subject
from rso.core.usage import Sample
from rso.kube.auth import from_kubeconfig
from rso.kube.clock import SystemClock
from testbed.cluster import ServiceAccount
from tests.kube.certificates import Authority
from tests.node.scraper import account_for
from tests.support.sets import Json, Sets, statefulset

MIB = 2**20
WRITTEN = 100 * MIB
TOLERANCE = MIB
CLOCK = SystemClock()


def subjects_of(sets: Sets, name: str) -> list[Subject]:
    """Return a subject for each claim that a Pod of the set mounts."""
    claims = sets.claims()
    return [
        _subject(pod, volume, claims[volume["persistentVolumeClaim"]["claimName"]])
        for pod in sets.pods(name).values()
        for volume in pod["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    ]


def _subject(pod: Json, volume: Json, claim: Json) -> Subject:
    [container] = pod["spec"]["containers"]
    [mount] = [each for each in container["volumeMounts"] if each["name"] == volume["name"]]
    return Subject(
        namespace=pod["metadata"]["namespace"],
        claim=claim["metadata"]["name"],
        claim_uid=claim["metadata"]["uid"],
        pod=pod["metadata"]["name"],
        pod_uid=pod["metadata"]["uid"],
        node=pod["spec"]["nodeName"],
        host_ip=pod["status"]["hostIP"],
        container=container["name"],
        mount_path=mount["mountPath"],
    )


def kubelet(account: ServiceAccount, **settings: object) -> KubeletSource:
    """Return the kubelet source of an account."""
    chosen = KubeletSettings(**settings)  # type: ignore[arg-type]  # a test passes what fits
    return KubeletSource(chosen, from_kubeconfig(str(account.kubeconfig)).credentials, CLOCK)


def source_of(port: int, **settings: object) -> PrometheusSource:
    """Return a source that asks a Prometheus on loopback."""
    url = URL(f"http://127.0.0.1:{port}")
    return PrometheusSource(PrometheusSettings(url=url, **settings), CLOCK)  # type: ignore[arg-type]  # a test passes what fits


def exec_(account: ServiceAccount) -> ExecSource:
    """Return the exec source of an account."""
    return ExecSource(ExecSettings(), from_kubeconfig(str(account.kubeconfig)), CLOCK)


def measured(source: Source, subjects: Sequence[Subject]) -> Measured:
    """Return what a source finds, and close it."""

    async def measure() -> Measured:
        try:
            return await source.measure(subjects)
        finally:
            await source.close()

    return asyncio.run(measure())


def queried(port: int, query: str) -> list[Any]:
    """Return time and value that an instant query answers with, of the one series there is."""
    asked = urllib.parse.urlencode({"query": query})
    url = f"http://127.0.0.1:{port}/api/v1/query?{asked}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        [series] = json.load(answer)["data"]["result"]
    found: list[Any] = series["value"]
    return found


def written_set(sets: Sets) -> list[Subject]:
    """Make a set with an xfs and a btrfs volume, of which the first holds 100 MiB."""
    manifest = statefulset(
        replicas=1, sizes={"data": "500Mi", "logs": "200Mi"}, storage_class="xfs"
    )
    manifest["spec"]["volumeClaimTemplates"][1]["spec"]["storageClassName"] = "btrfs"
    sets.make(manifest, settled=False)
    write = f"dd if=/dev/zero of=/data/file bs={MIB} count={WRITTEN // MIB} && sync"
    sets.cluster.kubectl("exec", f"--namespace={sets.namespace}", "db-0", "--", "sh", "-c", write)
    return subjects_of(sets, "db")


def wait_for_written(sets: Sets, source: Source, subjects: Sequence[Subject]) -> Measured:
    """Return what a source finds once it has seen what was written, of both volumes."""

    async def wait() -> Measured:
        async with asyncio.timeout(60):
            while True:
                found = await source.measure(subjects)
                sample = found.samples.get((sets.namespace, "data-db-0"))
                if sample and sample.used_bytes >= WRITTEN and len(found.samples) == 2:
                    await source.close()
                    return found
                await asyncio.sleep(0.2)

    return asyncio.run(wait())


def test_all_sources_say_the_same(sets: Sets, port: int) -> None:
    """Kubelet, Prometheus and `df` agree on a written volume; btrfs has no inodes for any."""
    subjects = written_set(sets)
    sources: list[Source] = [
        kubelet(account_for(sets, "nodes/stats", "get")),
        source_of(port),
        exec_(account_for(sets, "pods/exec", "get", "create")),
    ]

    found: list[Measured] = []

    def agree() -> bool:
        """Tell whether nothing was written, or taken back by xfs, between the readings."""
        found[:] = [wait_for_written(sets, source, subjects) for source in sources]
        used = [{key: each.used_bytes for key, each in one.samples.items()} for one in found]
        return all(abs(used[0][key] - each[key]) < TOLERANCE for each in used for key in used[0])

    sets.wait(agree, "the sources agree")

    assert [()] * 3 == [each.failures for each in found]
    for claim, has_inodes in (("data-db-0", True), ("logs-db-0", False)):
        first, *others = [each.samples[sets.namespace, claim] for each in found]
        assert (first.inodes is not None) == has_inodes
        for other in others:
            check_same(first, other)


def check_same(one: Sample, other: Sample) -> None:
    """Check that two samples are of one file system at nearly one moment."""
    assert one.claim_uid == other.claim_uid
    assert (one.capacity_bytes, one.inodes) == (other.capacity_bytes, other.inodes)
    assert abs(one.used_bytes - other.used_bytes) < TOLERANCE
    assert abs(one.available_bytes - other.available_bytes) < TOLERANCE
    assert one.inodes_used == other.inodes_used
    assert abs((one.taken_at - other.taken_at).total_seconds()) < 60


def test_points_have_the_time_of_their_scrape(sets: Sets, port: int) -> None:
    """An instant query has the time of the question; what the source says is the scrape's."""
    subjects = written_set(sets)
    source = source_of(port)
    wait_for_written(sets, source, subjects)
    metric = f'kubelet_volume_stats_used_bytes{{namespace="{sets.namespace}",'
    metric += 'persistentvolumeclaim="data-db-0"}'

    def agrees() -> bool:
        """Tell whether no scrape came in between the two questions."""
        asked_at, scraped_at = queried(port, f"timestamp({metric})")
        sample = measured(source_of(port), subjects).samples[sets.namespace, "data-db-0"]
        assert queried(port, metric)[0] >= asked_at
        return abs(sample.taken_at.timestamp() - float(scraped_at)) < 0.001

    sets.wait(agrees, "the source and Prometheus name the same scrape")


def test_a_prometheus_that_refuses_a_query_is_quoted(sets: Sets, port: int) -> None:
    """A matcher that it cannot parse: its own words, and no sample."""
    found = measured(source_of(port, matchers=('a=~"("',)), [_nobody(sets)])

    assert [Fault.REFUSED] == [each.fault for each in found.failures]
    assert "missing closing )" in found.failures[0].sentence


def _nobody(sets: Sets) -> Subject:
    """Return a subject that no node has: enough to be refused."""
    return Subject(
        namespace=sets.namespace,
        claim="none",
        claim_uid="none",
        pod="none",
        pod_uid="none",
        node="node-0",
        host_ip=sets.cluster.bed.address,
        container="none",
        mount_path="/none",
    )


@pytest.mark.parametrize(
    ("resource", "verbs", "expected"),
    [
        pytest.param("nodes/stats", ["get"], [], id="get nodes/stats is enough"),
        pytest.param("nodes/stats", [], [Fault.FORBIDDEN], id="nothing is not"),
        pytest.param("nodes/metrics", ["get"], [Fault.FORBIDDEN], id="nor are the metrics"),
        pytest.param("nodes/stats", ["list"], [Fault.FORBIDDEN], id="nor is another verb"),
    ],
)
def test_the_right_that_a_kubelet_asks_for(
    sets: Sets, resource: str, verbs: list[str], expected: list[Fault]
) -> None:
    """Its own certificate is verified by the cluster's authority; no other right is needed."""
    found = measured(kubelet(account_for(sets, resource, *verbs)), [_nobody(sets)])

    assert expected == [each.fault for each in found.failures]


def test_a_kubelet_of_another_authority_gets_no_token(sets: Sets, tmp_path: Path) -> None:
    """Its certificate is not believed, unless that is switched off."""
    account = account_for(sets, "nodes/stats", "get")
    authority = Authority(tmp_path)

    strict = measured(kubelet(account, ca_file=authority.file), [_nobody(sets)])
    insecure = measured(kubelet(account, insecure=True), [_nobody(sets)])

    assert [Fault.UNTRUSTED] == [each.fault for each in strict.failures]
    assert () == insecure.failures


@pytest.mark.parametrize("verbs", [["get"], ["create"], []])
def test_exec_takes_both_rights(sets: Sets, verbs: list[str]) -> None:
    """Since 1.35 the WebSocket takes `get` and `create`; one alone is refused with a hint."""
    found = measured(exec_(account_for(sets, "pods/exec", *verbs)), [_nobody(sets)])

    [failure] = found.failures
    assert Fault.FORBIDDEN == failure.fault
    assert "get and create on pods/exec" in failure.sentence


def test_a_token_that_is_none_is_refused(sets: Sets) -> None:
    """The kubelet asks the API server who it is, and says 401."""
    account = account_for(sets, "nodes/stats", "get")
    text = account.kubeconfig.read_text().replace(account.token, "no-token")
    account.kubeconfig.write_text(text)

    found = measured(kubelet(account), [_nobody(sets)])

    assert [Fault.UNAUTHORIZED] == [each.fault for each in found.failures]
