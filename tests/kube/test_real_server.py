"""The layer against a real API server: what the scripted one could only imitate."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from rso.kube.auth import from_kubeconfig
from rso.kube.client import Client, Kind, raw
from rso.kube.clock import SystemClock
from rso.kube.errors import AlreadyExists, Conflict, Invalid, LeaseLost, NotFound, Unauthorized
from rso.kube.informer import Informer
from rso.kube.lease import LEASES, Lease
from rso.kube.recorder import EVENTS, ObjectRef, Recorder
from rso.kube.transport import HttpTransport, Resource
from testbed.cluster import Cluster
from tests.kube.clock import until
from tests.kube.things import Metadata

pytestmark = pytest.mark.cluster

MAPS = Resource("", "v1", "configmaps")
RAW = raw(MAPS)


class Map(msgspec.Struct, frozen=True):
    metadata: Metadata
    data: dict[str, str] = {}


KIND = Kind(MAPS, msgspec.json.Decoder(Map).decode)


@pytest.fixture
async def transport(cluster: Cluster) -> AsyncIterator[HttpTransport]:
    """Return a transport as administrator."""
    transport = HttpTransport(from_kubeconfig(str(cluster.kubeconfig)))
    yield transport
    await transport.close()


@pytest.fixture
def client(transport: HttpTransport) -> Client:
    """Return a client as administrator."""
    return Client(transport, clock=SystemClock(), field_manager="tester")


def config_map(name: str, value: str = "1") -> dict[str, object]:
    """Return a ConfigMap to create."""
    return {"metadata": {"name": name}, "data": {"value": value}}


async def test_errors(client: Client, namespace: str) -> None:
    """The server's refusals arrive as the errors that name them."""
    made = await client.create(KIND, namespace, config_map("a"))
    stale = {"metadata": {"resourceVersion": "1"}, "data": {"value": "2"}}
    with pytest.raises(AlreadyExists):
        await client.create(KIND, namespace, config_map("a"))
    with pytest.raises(NotFound) as missing:
        await client.get(KIND, namespace, "b")
    with pytest.raises(Conflict):
        await client.patch(KIND, namespace, "a", stale)
    with pytest.raises(Invalid) as invalid:
        await client.create(KIND, namespace, config_map("A!"))
    with pytest.raises(Conflict):
        await client.delete(MAPS, namespace, "a", uid="another")
    with pytest.raises(Conflict):
        await client.delete(MAPS, namespace, "a", uid=made.metadata.uid, resource_version="1")

    assert missing.value.kind == "configmaps"
    assert invalid.value.causes == ("FieldValueInvalid",)


async def test_writes(client: Client, namespace: str) -> None:
    """What is written is there, with our field manager; a dry run leaves no trace."""
    await client.create(RAW, namespace, config_map("dry"), dry_run=True)
    made = await client.create(KIND, namespace, config_map("a"))
    await client.patch(KIND, namespace, "a", {"data": {"value": "2"}})
    found = await client.get(RAW, namespace, "a")
    await client.delete(MAPS, namespace, "a", uid=made.metadata.uid)
    listing = await client.list(KIND, namespace, "")

    assert found["data"] == {"value": "2"}
    assert {entry["manager"] for entry in found["metadata"]["managedFields"]} == {"tester"}
    assert not {"a", "dry"} & {item.metadata.name for item in listing.items}
    assert listing.date is not None


async def test_informer(client: Client, namespace: str) -> None:
    """Changes and deletions by others are seen; a uid that is gone is waited for."""
    await client.create(KIND, namespace, config_map("before"))
    informer = Informer(
        client,
        KIND,
        clock=SystemClock(),
        namespace=namespace,
        on_change=lambda _old, _new: None,
        on_undecodable=lambda: None,
    )
    running = asyncio.ensure_future(informer.run())
    await informer.synced.wait()
    before = informer.get(namespace, "before")
    made = await client.create(KIND, namespace, config_map("after"))
    await until(lambda: informer.get(namespace, "after"))
    await client.patch(KIND, namespace, "after", {"data": {"value": "2"}})
    await until(lambda: (seen := informer.get(namespace, "after")) and seen.data["value"] == "2")
    await client.delete(MAPS, namespace, "after", uid=made.metadata.uid)
    await asyncio.wait_for(informer.wait_gone(namespace, "after", made.metadata.uid), 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert before is not None
    assert informer.get(namespace, "after") is None


async def test_lease_between_two(client: Client, namespace: str) -> None:
    """Of two instances one leads; the other takes over when it ends; times are accepted."""
    history: list[str] = []
    finish = {"a": asyncio.Event(), "b": asyncio.Event()}

    def hold(identity: str) -> asyncio.Future[None]:
        lease = Lease(
            client,
            SystemClock(),
            namespace,
            "rso",
            identity,
            duration_seconds=3,
            renew_deadline_seconds=2,
            retry_seconds=0.1,
        )

        async def work() -> None:
            history.append(f"{identity} begins")
            await finish[identity].wait()
            history.append(f"{identity} ends")

        return asyncio.ensure_future(lease.hold(work))

    first = hold("a")
    await until(lambda: history)
    record = await client.get(LEASES, namespace, "rso")
    second = hold("b")
    renewed = record
    while renewed["spec"]["renewTime"] == record["spec"]["renewTime"]:
        renewed = await client.get(LEASES, namespace, "rso")
    finish["a"].set()
    await first
    await until(lambda: len(history) == 3)
    finish["b"].set()
    await second

    assert history == ["a begins", "a ends", "b begins", "b ends"]
    assert len(record["spec"]["renewTime"].partition(".")[2]) == len("123456Z")


async def test_lease_taken_away(client: Client, namespace: str) -> None:
    """An instance whose Lease somebody else took ends its work."""
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    lease = Lease(client, SystemClock(), namespace, "rso", "a", retry_seconds=0.1)
    holding = asyncio.ensure_future(lease.hold(work))
    await until(lease.is_held)
    taken = {"spec": {"holderIdentity": "b", "renewTime": "2026-01-01T00:00:00.000001Z"}}
    await client.patch(LEASES, namespace, "rso", taken)
    with pytest.raises(LeaseLost, match="held by b"):
        await holding

    assert ended.is_set()


async def test_event(client: Client, namespace: str) -> None:
    """The server takes our Events, and their counts."""
    made = await client.create(RAW, namespace, config_map("a"))
    recorder = Recorder(client, "tester", "tester-1", SystemClock())
    running = asyncio.ensure_future(recorder.run())
    ref = ObjectRef("v1", "ConfigMap", namespace, "a", made["metadata"]["uid"])
    for _ in range(3):
        recorder.event(ref, "Warning", "Tested", "it was tested")
    await recorder.drain()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    events = await client.list(EVENTS, namespace)

    found = [item for item in events.items if item["reason"] == "Tested"]
    assert [(item["count"], item["message"]) for item in found] == [(3, "it was tested")]


async def test_client_certificate(cluster: Cluster, namespace: str) -> None:
    """A kubeconfig with a client certificate is an identity."""
    transport = HttpTransport(from_kubeconfig(str(cluster.certificate_kubeconfig)))
    client = Client(transport, clock=SystemClock(), field_manager="tester")
    made = await client.create(KIND, namespace, config_map("a"))
    await transport.close()

    assert made.metadata.namespace == namespace


@pytest.fixture
def unknown(cluster: Cluster, tmp_path: Path) -> str:
    """Return a kubeconfig with a token that nobody gave."""
    path = tmp_path / "config"
    path.write_text(cluster.kubeconfig.read_text().replace(cluster.token, "unknown"))
    return str(path)


async def test_wrong_token(unknown: str) -> None:
    """A token that the server does not know is told as such."""
    transport = HttpTransport(from_kubeconfig(unknown))
    client = Client(transport, clock=SystemClock(), field_manager="tester")
    with pytest.raises(Unauthorized):
        await client.list(KIND, "default")
    await transport.close()
