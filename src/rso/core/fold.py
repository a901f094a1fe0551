"""Repeats `plan` on a played cluster: everything that would happen to a set, in order.

Each decision is played (`effects`, `played`) and the next one is made from what then is. A fold
ends with Done, Blocked, or a Wait that no quiet cluster ends: a person has to act.
"""

from collections.abc import Callable, Generator

from msgspec.structs import replace

from rso.core import effects, played, successor
from rso.core.actions import (
    Ask,
    AskBackup,
    AskGrowth,
    AskLive,
    AskPods,
    AskProof,
    Blocked,
    Decision,
    Done,
    Replace,
    Step,
    Wait,
)
from rso.core.model import Metadata, StatefulSet, StorageClass
from rso.core.plan import plan
from rso.core.world import (
    ClaimAnswer,
    Growth,
    Live,
    Pods,
    Proof,
    Saved,
    Unreadable,
    World,
)
from rso.core.quantity import read_bytes

LIMIT = 5000  # decisions; a set of 1,000 claims needs about 2,000
_SEALED_BYTES = 4096  # of a played backup: an ordinary set


def apply(world: World, decision: Decision) -> World:
    """Return the world after a quiet, obedient cluster has followed a decision."""
    if isinstance(decision, Step):
        return effects.done(world, decision)
    if isinstance(decision, Wait):
        return played.settle(world)
    if isinstance(decision, Ask):
        return answered(world, decision)
    return world


def fold(
    world: World, ask: Callable[[World, Ask], World] | None = None, limit: int = LIMIT
) -> list[Decision]:
    """Return every decision up to the end, at most `limit`.

    `ask` may answer questions in earnest; whatever a played delete has overtaken is played.
    """
    decisions = []
    moments = folding(world, limit)
    answer: World | None = None
    while True:
        try:
            world, decision = moments.send(answer)
        except StopIteration:
            return decisions
        decisions.append(decision)
        answer = ask(world, decision) if ask and isinstance(decision, Ask) else None


def folding(
    world: World, limit: int = LIMIT
) -> Generator[tuple[World, Decision], World | None, None]:
    """Yield each (world, decision) up to the end, at most `limit`.

    A caller may send the world with an answer to the question just yielded. It may be about the
    set as it was before the played steps. It is not used after a played delete, nor when it did
    not answer the question.
    """
    last: Decision | None = None
    is_replaced = False
    for _ in range(limit):
        decision = plan(world)
        if isinstance(decision, Wait) and decision == last:
            return
        answer = yield world, decision
        if isinstance(decision, (Blocked, Done)):
            return
        is_usable = answer is not None and not is_replaced and decision != last
        world = _as_cached(answer) if answer is not None and is_usable else apply(world, decision)
        is_replaced = is_replaced or isinstance(decision, Replace)
        last = decision
