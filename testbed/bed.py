"""What a bed is: its options, its addresses and the files of its state directory."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from testbed.process import BedError, ProcessId

BEDS_NETWORK = "10.213"
API_PORT = 6443
NODE_NAME = "node-0"
SERVICE_CIDR = "10.97.0.0/16"
KUBERNETES_SERVICE_ADDRESS = "10.97.0.1"
POD_CIDR = "10.200.0.0/24"
RECORD = "bed.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a bed is made of.

    Units: the QPS and burst are requests a second of the controller manager's client; 20 and 30
    are its own defaults, which real clusters run with.
    """

    storage: bool = False
    fake_nodes: int = 0
    node: bool = False
    controller_qps: float = 20
    controller_burst: int = 30
    apiserver_flags: tuple[str, ...] = ()
    controller_manager_flags: tuple[str, ...] = ()

    @property
    def has_storage(self) -> bool:
        """A real node is of no use without volumes to mount."""
        return self.storage or self.node


@dataclass(frozen=True, slots=True)
class Bed:
    """A bed under way.

    ``index`` is its number on this machine, of which its addresses are made, and which another bed
    takes once this one is gone; ``link_id`` is the kernel's number of its link, never used again.
    """

    state: Path
    programs: Path
    index: int
    link_id: int
    options: Options

    def path(self, *parts: str) -> Path:
        """Return a path in the state directory."""
        return self.state.joinpath(*parts)

    def program(self, name: str) -> str:
        """Return the path of a program that ``python -m testbed build`` made."""
        return str(self.programs / name)

    def kubeconfig(self, user: str) -> Path:
        """Return the kubeconfig of one of the users of ``credentials.py``."""
        return self.path("kubeconfigs", user)

    @property
    def name(self) -> str:
        """The bed's network link."""
        return f"testbed{self.index}"

    @property
    def cgroup(self) -> str:
        """The bed's control group."""
        return f"{self.name}-{self.link_id}"

    @property
    def host_address(self) -> str:
        """The machine outside as the bed sees it: where a webhook of a test listens."""
        return f"{BEDS_NETWORK}.{self.index}.1"

    @property
    def address(self) -> str:
        """The bed as the machine outside sees it."""
        return f"{BEDS_NETWORK}.{self.index}.2"

    @property
    def network(self) -> str:
        """The addresses of both ends of the link."""
        return f"{BEDS_NETWORK}.{self.index}.0/24"

    @property
    def api_url(self) -> str:
        """The API server, from this machine and from inside."""
        return f"https://{self.address}:{API_PORT}"

    @property
    def csi_socket(self) -> Path:
        """Where the CSI driver answers."""
        return self.path("csi.sock")

    def to_json(self) -> str:
        """Return the bed as one line, for the supervisor and the record."""
        fields = asdict(self) | {"state": str(self.state), "programs": str(self.programs)}
        return json.dumps(fields)


def bed_from_json(line: str) -> Bed:
    """Return the bed that ``Bed.to_json`` wrote."""
    fields = json.loads(line)
    options = fields["options"]
    for flags in ("apiserver_flags", "controller_manager_flags"):
        options[flags] = tuple(options[flags])
    paths = Path(fields["state"]), Path(fields["programs"])
    return Bed(*paths, fields["index"], fields["link_id"], Options(**options))


def save_record(bed: Bed, first_process: ProcessId) -> None:
    """Write down what ``down`` needs, before anything is made that outlives the processes."""
    record = {"bed": bed.to_json(), "process": asdict(first_process)}
    draft = bed.path(f"{RECORD}.draft")
    draft.write_text(json.dumps(record))
    draft.rename(bed.path(RECORD))


def load_record(state: Path) -> tuple[Bed, ProcessId]:
    """Return the bed of a state directory and its first process, dead or alive.

    Raises: BedError, when no bed was started there, it was ended, or its record is not one of ours.
    """
    path = state / RECORD
    try:
        record = json.loads(path.read_text())
        return bed_from_json(record["bed"]), ProcessId(**record["process"])
    except FileNotFoundError:
        raise BedError(f"no test bed is up in {state}; start one: python -m testbed up") from None
    except (KeyError, TypeError, ValueError):
        raise BedError(
            f"{path} was written by another version of the test bed; end the bed with that one, "
            f"or kill the process that the file names, then remove {state}"
        ) from None
