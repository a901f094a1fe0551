"""Puts together what decides and acts: for a resizer's caches, or for a view read anew."""

from rso.app.answers import Questions
from rso.app.execute import Executor, Tools
from rso.app.expect import Expectations
from rso.app.gap import WaitGone
from rso.app.gather import Gatherer
from rso.app.notice import Notices
from rso.app.patience import Patience
from rso.app.reconcile import Reconciler
from rso.app.repeats import Repeats
from rso.app.replace import Replacer
from rso.app.seal import Sealer
from rso.app.turn import Turns
from rso.app.view import View
from rso.core.policy import Bounds
from rso.kube.client import Client
from rso.kube.clock import Clock


def make_tools(  # each of these is another for a resizer, for `rso resume` and outside its scope
    client: Client, view: View, sealer: Sealer, bounds: Bounds, notices: Notices, clock: Clock
) -> Tools:
    """Return what steps work with, on this view."""
    questions = Questions(client, view, sealer, clock)
    return Tools(
        client=client,
        view=view,
        gatherer=Gatherer(view, questions, sealer, bounds, clock),
        sealer=sealer,
        expectations=Expectations(clock, view),
        notices=notices,
        metrics=notices.metrics,
        clock=clock,
    )


def make_reconciler(
    tools: Tools,
    turns: Turns,
    patience: Patience,
    repeats: Repeats,
    wait_gone: WaitGone,
) -> Reconciler:
    """Return what brings a set one step closer."""
    executor = Executor(tools)
    replacer = Replacer(tools, executor, turns, wait_gone)
    return Reconciler(tools, executor, replacer, turns, patience, repeats)
