"""Brings one set one step closer: gather, plan, execute."""

from rso.app.execute import Executor, Tools
from rso.app.log import new_reconcile_id
from rso.app.metric_table import Result
from rso.app.notice import said
from rso.app.patience import LONGEST_SECONDS as LONGEST_REFUSAL_SECONDS
from rso.app.patience import Patience
from rso.app.repeats import LONGEST_SECONDS, Repeats
from rso.app.replace import Replacer
from rso.app.turn import Turns
from rso.core.actions import (
    Ask,
    Blocked,
    Decision,
    Done,
    DropBackup,
    EvictPod,
    GrowClaim,
    Recreate,
    RenewGeneration,
    Replace,
    RestoreManagers,
    RestorePolicy,
    SaveBackup,
    SetRetain,
    SetStatus,
    Step,
    Supersede,
    Unreference,
    Wait,
)
from rso.core.names import Note, Reason
from rso.core.plan import plan
from rso.core.recovery import expiry
from rso.core.world import Key, World
from rso.kube.errors import AlreadyExists, Conflict, NotFound

MAX_QUESTIONS = 20  # of one look; more means that the answers do not match the caches
LOOK_AGAIN_SECONDS = 0.1  # after a conflict: the watch brings the change
WAITING_SECONDS = 30.0  # at most, between looks at what ends by itself: Pods tell no watch of ours
MANY_TIMES = 10  # of one step, after which each further one is told in the log
AWAY_SECONDS = 5.0  # between looks at a set that is away and cannot be brought back yet


def _result(decision: Decision) -> Result:
    match decision:
        case Step():
            return "step"
        case Wait():
            return "wait"
        case Blocked():
            return "blocked"
        case _:
            return "done"


class Reconciler:
    """Decides and acts for any set of one operator."""

    def __init__(
        self,
        tools: Tools,
        executor: Executor,
        replacer: Replacer,
        turns: Turns,
        patience: Patience,
        repeats: Repeats,
    ) -> None:
        self._tools = tools
        self._executor = executor
        self._replacer = replacer
        self._turns = turns
        self._patience = patience
        self._repeats = repeats

    async def reconcile(self, key: Key, attempt: int = 0) -> float | None:
        """Do one step for a set; return the seconds until the next look, None for no timed one.

        Raises: whatever a request raises but conflicts, which mean to look again.
        """
        seconds = self._tools.expectations.remaining(key)
        if seconds > 0:
            return seconds
        self._begin(key, attempt)
        started = self._tools.clock.monotonic()
        result: Result = "error"
        is_waiting = False
        try:
            world, decision = await self._decide(key)
            is_waiting = isinstance(decision, Wait) and decision.is_turn
            self._tell(world, decision)
            seconds_left = await self._act(world, decision)
            result = _result(decision)
        except (Conflict, NotFound, AlreadyExists) as error:
            self._tools.notices.named(key).debug("look again", error=said(error))
            result = "conflict"
            return LOOK_AGAIN_SECONDS
        finally:
            if not is_waiting:
                self._turns.leave(key)
            self._tools.metrics.reconciled(result, self._tools.clock.monotonic() - started)
        return seconds_left

    def _begin(self, key: Key, attempt: int) -> None:
        statefulset = self._tools.view.statefulset(key)
        uid = statefulset.metadata.uid if statefulset else ""
        reconcile = new_reconcile_id()
        self._tools.notices.begin(key, uid=uid, attempt=attempt, reconcile=reconcile)

    async def _decide(self, key: Key) -> tuple[World, Decision]:
        """Plan, asking what plan wants to know; a refusal is not asked about before its time."""
        for _ in range(MAX_QUESTIONS):
            world = self._world(key)
            decision = plan(world)
            if not isinstance(decision, Ask):
                return world, decision
            pause = self._patience.remaining(key)
            if pause > 0 and world.statefulset is not None:
                return world, Wait("it was refused just now", seconds=pause)
            await self._tools.gatherer.ask(world, decision)
        raise Conflict(409, "Conflict", "the set changes faster than it can be asked about")

    def _world(self, key: Key) -> World:
        absent = self._tools.view.absent()
        return self._tools.gatherer.world(key, has_turn=self._turns.is_free(key, absent))

    async def _act(self, world: World, decision: Decision) -> float | None:
        match decision:
            case Step():
                return await self._try(world, decision)
            case Wait():
                return self._wait(world, decision)
            case Blocked():
                return self._refused(world)
            case _:
                self._tools.gatherer.settle(world.key)
                self._patience.end(world.key)
                self._repeats.end(world.key)
                return expiry(world)

    async def _try(self, world: World, step: Step) -> float:
        """Do a step, unless it was done in vain so often that the next time is later."""
        key = world.key
        pause = self._repeats.remaining(key, step)
        if pause > 0:
            return pause
        longest = AWAY_SECONDS if world.statefulset is None else LONGEST_SECONDS
        count = self._repeats.add(key, step, longest)
        if count >= MANY_TIMES:
            log = self._tools.notices.about(world)
            log.warning("step is tried again and again", step=type(step).__name__, times=count)
        await self._step(world, step)
        return self._tools.expectations.remaining(key)

    def _wait(self, world: World, decision: Wait) -> float | None:
        if decision.is_turn:
            self._turns.wait(world.key)
            return None
        if decision.reason is None or decision.seconds is None:
            return decision.seconds
        return self._refused(world, WAITING_SECONDS)

    def _refused(self, world: World, longest_seconds: float = LONGEST_REFUSAL_SECONDS) -> float:
        """Begin a pause, after which everything is asked anew; a short one while a set is away."""
        if world.statefulset is None:
            self._tools.gatherer.forget(world.key)
            return AWAY_SECONDS
        key = world.key
        if self._patience.remaining(key) > 0:
            return self._patience.remaining(key)
        self._tools.gatherer.forget(key)
        return self._patience.begin(key, longest_seconds)

    async def _step(self, world: World, step: Step) -> None:  # noqa: C901, PLR0912  one line a step
        execute = self._executor
        match step:
            case SetStatus():
                await execute.set_status(world, step)
            case GrowClaim():
                await execute.grow_claim(world, step)
            case EvictPod():
                await execute.evict_pod(world, step)
            case SetRetain():
                await execute.set_retain(world, step)
            case RenewGeneration():
                await execute.renew_generation(world, step)
            case RestorePolicy():
                await execute.restore_policy(world, step)
            case Unreference():
                await execute.unreference(world, step)
            case SaveBackup():
                await execute.save_backup(world, step)
            case Replace():
                await self._replacer.replace(world, step)
            case Recreate():
                await self._replacer.recreate(world, step)
            case Supersede():
                await execute.supersede(world, step)
            case RestoreManagers():
                await execute.restore_managers(world, step)
            case DropBackup():
                await execute.drop_backup(world, step)
            case _:
                raise TypeError(f"{type(step).__name__} is no step that can be done")

    def _tell(self, world: World, decision: Decision) -> None:
        """Keep the metrics of states true."""
        namespace, name = world.key
        metrics = self._tools.metrics
        if isinstance(decision, Wait) and decision.alert:
            self._tools.notices.once(world, Note.STALE_REFERENCE, decision.alert)
        match decision:
            case Blocked():
                metrics.saw(namespace, name, "blocked", decision.reason)
                self._tell_blocked(world, decision)
                return
            case Wait() if decision.reason is not None:
                metrics.saw(namespace, name, "waiting", decision.reason)
            case Wait() if self._patience.remaining(world.key) > 0:
                return  # what it was refused for stays true until it is asked again
            case Done() if world.statefulset is None or not world.status:
                metrics.forget(namespace, name)
            case Done():
                metrics.saw(namespace, name, "done")
            case _:
                metrics.saw(namespace, name, "growing")
        self._tools.notices.goes_on(world.key)

    def _tell_blocked(self, world: World, decision: Blocked) -> None:
        notices = self._tools.notices
        notices.blocked(world, decision)
        is_away = world.statefulset is None and self._patience.remaining(world.key) == 0
        if is_away and decision.reason is Reason.BACKUP_UNREADABLE:
            notices.note(world, decision.reason, decision.sentence)
