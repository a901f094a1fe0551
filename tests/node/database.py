"""Sets whose Pods write records all the time, as a database does, and what became of them."""

from collections.abc import Mapping
from typing import Any

from testbed import writer
from testbed.writer import Journal
from tests.support.sets import Json, Sets, statefulset

MIB = 2**20


def database(
    name: str = "db",
    *,
    volumes: Mapping[str, tuple[str, str]] | None = None,
    replicas: int = 1,
    annotations: Mapping[str, str] | None = None,
    **spec: Any,  # noqa: ANN401  any field of a spec
) -> Json:
    """Return a set that writes; `volumes` is {template: (storage class, size)}."""
    wanted = volumes or {"data": ("xfs", "300Mi")}
    sizes = {each: size for each, (_, size) in wanted.items()}
    made = statefulset(name, replicas=replicas, sizes=sizes, annotations=annotations, **spec)
    for template in made["spec"]["volumeClaimTemplates"]:
        template["spec"]["storageClassName"] = wanted[template["metadata"]["name"]][0]
    made["spec"]["template"]["spec"]["containers"] = [writer.container(*wanted)]
    return made


def journal(sets: Sets, pod: str, volume: str = "data") -> Journal:
    """Return the checked records of a volume."""
    return writer.read_journal(sets.cluster, sets.namespace, pod, volume)


def filesystem_bytes(sets: Sets, pod: str, volume: str = "data") -> int:
    """Return the size of a volume's file system as `stat -f` in the container says now."""
    script = ["stat", "-f", "-c", "%b %S", f"/{volume}"]
    told = sets.cluster.kubectl("exec", f"--namespace={sets.namespace}", pod, "--", *script)
    blocks, size = told.split()
    return int(blocks) * int(size)


def wait_records(sets: Sets, pod: str, count: int, volume: str = "data") -> None:
    """Return when a Pod has written that many records.

    Raises: BedError.
    """

    def has_written() -> bool:
        record = writer.last_record(sets.cluster, sets.namespace, pod, volume)
        return record is not None and record.number >= count

    sets.wait(has_written, f"{count} records of {pod}")


def wait_more_records(sets: Sets, pod: str, count: int) -> None:
    """Return when a Pod has written that many records more than now.

    Raises: BedError.
    """
    record = writer.last_record(sets.cluster, sets.namespace, pod, "data")
    wait_records(sets, pod, count + (record.number if record else 0))


def restarts(sets: Sets, name: str) -> int:
    """Return how often containers of a set were started again."""
    statuses = [
        status
        for pod in sets.pods(name).values()
        for status in pod["status"].get("containerStatuses", [])
    ]
    return sum(status["restartCount"] for status in statuses)
