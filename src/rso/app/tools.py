"""Looks at sets as the operator does, with the requests and rights of whoever asks."""

from dataclasses import dataclass

from rso.app.answers import Questions
from rso.app.gather import Gatherer
from rso.app.live import LiveView
from rso.app.seal import Sealer
from rso.core.actions import AskPods, Decision
from rso.core.plan import plan
from rso.core.policy import Bounds
from rso.core.world import Key, World
from rso.kube.client import Client
from rso.kube.clock import Clock
from rso.kube.errors import Conflict, Forbidden, NotFound

MAX_QUESTIONS = 20  # of one look, as for the resizer


@dataclass(frozen=True, slots=True)
class Observer:
    """What a person looks with: a view read just now, and questions that change nothing."""

    client: Client
    view: LiveView
    questions: Questions
    gatherer: Gatherer
    clock: Clock

    async def look(self, key: Key) -> tuple[World, Decision]:
        """Return what is decided about a set from what was read, and from its Pods.

        Nothing is asked dry: a decision may be a question, then only the operator knows more.
        """
        self.gatherer.forget(key)
        for _ in range(MAX_QUESTIONS):
            world = self.gatherer.world(key, has_turn=True)
            decision = plan(world)
            if not isinstance(decision, AskPods):
                break
            try:
                await self.gatherer.ask(world, decision)
            except (Conflict, Forbidden, NotFound):
                break
        return world, decision


def observer(
    client: Client, clock: Clock, sealer: Sealer, bounds: Bounds, view: LiveView | None = None
) -> Observer:
    """Return an observer of the cluster behind a client."""
    view = view or LiveView(client, sealer.namespace)
    questions = Questions(client, view, sealer, clock)
    gatherer = Gatherer(view, questions, sealer, bounds, clock)
    return Observer(client, view, questions, gatherer, clock)
