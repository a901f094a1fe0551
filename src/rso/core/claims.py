"""The claims of a set: which they are, what they shall become, how far they are."""

from collections.abc import Iterator

import msgspec

from rso.core import selector
from rso.core.actions import AskPods
from rso.core.model import Claim
from rso.core.policy import Policy, Target
from rso.core.quantity import read_bytes
from rso.core.world import ClaimAnswer, World

# The words up to Kubernetes 1.30 end in "ResizeFailed" (kubernetes.md V11).
_INFEASIBLE = (
    "ControllerResizeInfeasible",
    "NodeResizeInfeasible",
    "ControllerResizeFailed",
    "NodeResizeFailed",
)
# The answers of a driver that mean "never" (KEP-1790).
_IMPOSSIBLE = ("code = InvalidArgument", "code = OutOfRange", "code = NotFound")


class Tracked(msgspec.Struct, frozen=True):
    """A claim of the set, what it shall become, and whether a Pod of the set uses its ordinal."""

    claim: Claim
    target: Target
    ordinal: int
    has_pod: bool

    @property
    def name(self) -> str:
        return self.claim.metadata.name

    @property
    def wanted_bytes(self) -> int:
        return self.target.claim.bytes

    @property
    def request_bytes(self) -> int:
        return read_bytes(self.claim.request)

    @property
    def capacity_bytes(self) -> int:
        return read_bytes(self.claim.capacity) if self.claim.capacity else 0

    @property
    def is_bound(self) -> bool:
        return self.claim.status.phase == "Bound"

    @property
    def is_infeasible(self) -> bool:
        """Whether the storage side says that this size is impossible.

        `NodeResizeInfeasible` shows for a moment at a time, since the resizer puts it back to
        pending; the condition stays (kubernetes.md V42).
        """
        if self.claim.status.resize_status in _INFEASIBLE:
            return True
        error = self.claim.status.condition("NodeResizeError")
        return error is not None and any(code in error.message for code in _IMPOSSIBLE)

    @property
    def is_refused_by_controller(self) -> bool:
        """Whether the volume itself cannot grow, so that a smaller request helps."""
        return self.is_infeasible and self.claim.status.resize_status.startswith("Controller")

    @property
    def is_done(self) -> bool:
        return self.capacity_bytes >= self.wanted_bytes and not self.claim.status.resize_status


def named_claims(world: World, policy: Policy) -> Iterator[Tracked]:
    """Yield the claims that bear a name of the set, smallest ordinal first."""
    if world.statefulset is None:
        return
    own = selector.ordinals(world.statefulset)
    stems = {f"{target.name}-{world.key.name}": target for target in policy.targets}
    found = []
    for claim in world.claims:
        stem, ordinal = selector.split_ordinal(claim.metadata.name) or ("", 0)
        if stem in stems and not claim.metadata.is_deleting:
            found.append(Tracked(claim, stems[stem], ordinal, ordinal in own))
    yield from sorted(found, key=lambda each: (each.ordinal, each.target.index))


def largest_requests(world: World) -> dict[int, int]:
    """Return {template index: bytes of the largest request among the claims of its name}."""
    templates = world.statefulset.spec.volume_claim_templates if world.statefulset else ()
    stems = {f"{each.name}-{world.key.name}": index for index, each in enumerate(templates)}
    largest: dict[int, int] = {}
    for claim in world.claims:
        stem, _ = selector.split_ordinal(claim.metadata.name) or ("", 0)
        if stem in stems:
            index = stems[stem]
            largest[index] = max(largest.get(index, 0), read_bytes(claim.request))
    return largest


def own_claims(world: World, policy: Policy) -> tuple[Tracked, ...] | AskPods:
    """Return the claims that belong to the set, or ask which ones its Pods mount."""
    if world.statefulset is None:
        return ()
    pods = world.answers.pods.pods if world.answers.pods else None
    own: list[Tracked] = []
    for each in named_claims(world, policy):
        is_own = selector.has_labels(world.statefulset, each.claim)
        if is_own or selector.is_mounted(each.claim, pods or ()):
            own.append(each)
        elif pods is None and wants_more(each, world) and not world.status.startswith("Done"):
            return AskPods()
    return tuple(own)


def wants_more(each: Tracked, world: World) -> bool:
    """Return whether a claim must be patched: bound, smaller, and its volume smaller, too."""
    if not each.is_bound or each.request_bytes >= each.wanted_bytes:
        return False
    answer = answer_for(each, world)
    volume = answer.volume_bytes if answer else None
    # A request between status.capacity and the volume's size never converges (kubernetes.md V40).
    return max(each.capacity_bytes, volume or 0) < each.wanted_bytes


def answer_for(each: Tracked, world: World) -> ClaimAnswer | None:
    """Return the answer for this claim as it is now."""
    answer = world.answers.growth.claims.get(each.name)
    asked = (each.claim.metadata.resource_version, each.target.claim.text)
    return answer if answer and (answer.resource_version, answer.size) == asked else None
