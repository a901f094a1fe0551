"""The clusters that figures are measured on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed import requirements, runs
from testbed.cluster import Cluster


@contextmanager
def bed(state: Path | None, *flags: str) -> Iterator[Cluster]:
    """Bring up a bed with these flags and end it; with a state, use the bed that is up there.

    A bed of a bench that was killed is ended by the next bench or test run.
    Raises: BedError.
    """
    if state is not None:
        yield Cluster(state.resolve())
        return
    requirements.check_up(node=False)
    run = runs.begin()
    try:
        yield Cluster(runs.bed_state(run, "bench", *flags))
    finally:
        runs.end(run)


def kubernetes_version(cluster: Cluster) -> str:
    """Return what the API server says of itself."""
    return str(cluster.api.request("GET", "/version")["gitVersion"])
