"""How far the storage side is, and what it says."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from rso.core.actions import Blocked, Done, SaveBackup, Wait
from rso.core.model import Claim
from rso.core.names import GROWN_AT, Reason
from rso.core.times import format_time
from rso.core.world import World
from tests.factories import NOW, Json, claim, outcome, own, unbound, whole_set, world

WISH = {"resize-0": "20Gi"}


def status(word: str = "", **condition: Any) -> Json:  # noqa: ANN401  any field of a condition
    """Return a claim's status with a resize word and a condition."""
    statuses = {"allocatedResourceStatuses": {"storage": word}} if word else {}
    return {**statuses, "conditions": [{"status": "True", **condition}] if condition else []}


def growing(seconds_ago: float | None = 10.0, **changes: Json) -> Claim:
    """Return a claim that was patched so long ago and has its old capacity."""
    times = {}
    if seconds_ago is not None:
        at = format_time(NOW - timedelta(seconds=seconds_ago))
        times = {"annotations": {GROWN_AT: at}}
    return claim("data-db-0", "20Gi", "10Gi", metadata=times, **changes)


def one(made: Claim, annotations: dict[str, str] | None = None, replicas: int = 1) -> World:
    live = whole_set(annotations or WISH, spec={"replicas": replicas})
    return world(live, claims=(made,))


def minutes_ago(minutes: float) -> str:
    return format_time(NOW - timedelta(minutes=minutes))


def test_the_set_waits_for_the_controller_part() -> None:
    """Until every claim with a Pod has its volume, nothing else begins."""
    found = outcome(one(growing()))

    assert Wait("claim data-db-0 is growing", seconds=891.0) == found


def test_a_claim_whose_time_is_unknown_is_waited_for() -> None:
    """Without a time of ours, the next change of the claim tells."""
    assert Wait("claim data-db-0 is growing") == outcome(one(growing(None)))


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(claim(request="20Gi", capacity="20Gi"), id="all done"),
        pytest.param(claim(request="20Gi", capacity="21Gi"), id="the driver rounded up"),
        pytest.param(growing(status=status("NodeResizePending")), id="the node is to follow"),
        pytest.param(growing(status=status("NodeResizeInProgress")), id="the node is at it"),
        pytest.param(
            growing(9000.0, status=status("NodeResizePending")), id="the node is late by hours"
        ),
        pytest.param(
            growing(
                status=status(
                    "NodeResizePending",
                    type="NodeResizeError",
                    lastTransitionTime=minutes_ago(60),
                )
            ),
            id="the node fails",
        ),
    ],
)
def test_the_recreate_waits_for_volumes_not_for_filesystems(made: Claim) -> None:
    """A Pod that crash-loops on its full disk must not hold up its own cure."""
    assert isinstance(outcome(one(made)), SaveBackup)


def test_a_claim_left_from_a_scale_down_is_not_waited_for() -> None:
    """No Pod will ever mount it, so its filesystem never grows."""
    assert isinstance(outcome(one(growing(), replicas=0)), SaveBackup)


@pytest.mark.parametrize("word", ["NodeResizeInfeasible", "NodeResizeFailed"])
def test_an_infeasible_filesystem_blocks(word: str) -> None:
    """A smaller size would not help where the volume has grown already, so none is named."""
    found = outcome(one(growing(status=status(word))))

    assert (
        Blocked(
            Reason.INFEASIBLE,
            "the volume of claim data-db-0 has grown, but its node cannot grow the filesystem; see "
            "the claim's condition NodeResizeError and the driver's log on that node; nothing was "
            "deleted",
        )
        == found
    )


@pytest.mark.parametrize("word", ["ControllerResizeInfeasible", "ControllerResizeFailed"])
@pytest.mark.parametrize("replicas", [1, 0], ids=["with a Pod", "left from a scale-down"])
def test_an_infeasible_claim_blocks(word: str, replicas: int) -> None:
    """Old and new words, used or not: nothing is deleted, and a size that would do is named."""
    found = outcome(one(growing(status=status(word)), replicas=replicas))

    assert (
        Blocked(
            Reason.INFEASIBLE,
            "the storage of claim data-db-0 cannot grow to the 20Gi that it asks for; lower the "
            "wish to a size above 10Gi and below 20Gi; nothing was deleted",
        )
        == found
    )


@pytest.mark.parametrize("code", ["InvalidArgument", "OutOfRange", "NotFound"])
def test_what_a_node_calls_impossible_stays_told(code: str) -> None:
    """The word shows for a moment at a time; the condition stays, and so does the reason (V42)."""
    message = f"rpc error: code = {code} desc = no"
    failing = status("NodeResizePending", type="NodeResizeError", message=message)
    found = outcome(one(growing(status=failing)))

    assert isinstance(found, Blocked)
    assert Reason.INFEASIBLE == found.reason


def test_a_wish_lowered_too_far_is_told_what_would_do() -> None:
    """At or below the capacity the claim stays infeasible, and the sentence names its request."""
    made = growing(status=status("ControllerResizeInfeasible"))
    found = outcome(one(made, {"resize-0": "5Gi"}))

    assert isinstance(found, Blocked)
    assert "cannot grow to the 20Gi that it asks for" in found.sentence


def test_every_waiting_claim_stands_in_the_command() -> None:
    """One downtime serves all claims: the command waits for each that has not grown."""
    message = "rpc error: code = FailedPrecondition desc = volume in use"
    refused = status("ControllerResizeInProgress", type="ControllerResizeError", message=message)
    names = ("data-db-0", "data-db-1")
    claims = tuple(claim(name, "20Gi", status=refused) for name in names)
    found = outcome(world(whole_set(WISH, spec={"replicas": 2}), claims=claims))

    assert isinstance(found, Blocked)
    assert "wait pvc data-db-0 data-db-1 --for" in found.sentence


def test_after_the_downtime_nobody_is_told_to_stop_again() -> None:
    """The controller's refusal stays on the claim until the node is done; it is history then."""
    message = "rpc error: code = FailedPrecondition desc = volume in use"
    made = growing(
        status=status("NodeResizePending", type="ControllerResizeError", message=message)
    )

    found = outcome(claims_only(made))
    assert isinstance(found, Wait)
    assert "the filesystem of claim data-db-0 is growing" == found.sentence


def test_an_offline_driver_gets_its_commands() -> None:
    """The exact commands are told, with the replicas that the set has; nothing is scaled by us."""
    message = "rpc error: code = FailedPrecondition desc = volume in use"
    made = growing(status=status("x", type="ControllerResizeError", message=message))

    assert Blocked(
        Reason.NEEDS_DOWNTIME,
        "the driver of claim data-db-0 grows a volume only while no Pod uses it; when the set may "
        "stop, run: kubectl -n shop scale statefulset db --replicas=0; "
        "kubectl -n shop wait pvc data-db-0 --for=condition=FileSystemResizePending --timeout=10m; "
        "kubectl -n shop scale statefulset db --replicas=2",
    ) == outcome(one(made, replicas=2))


@pytest.mark.parametrize(
    ("grown_seconds", "error_minutes", "is_stuck"),
    [
        pytest.param(900.0, None, False, id="exactly a quarter of an hour"),
        pytest.param(901.0, None, True, id="a second more"),
        pytest.param(901.0, 14, False, id="the error is younger than the patch"),
        pytest.param(60.0, 30, False, id="an error from before the patch"),
        pytest.param(3600.0, 16, True, id="an old error"),
        pytest.param(None, 16, True, id="an old error, no time of ours"),
    ],
)
def test_a_claim_is_stuck_after_a_quarter_of_an_hour(
    grown_seconds: float | None,
    error_minutes: float | None,
    is_stuck: bool,  # noqa: FBT001  a table
) -> None:
    """Fifteen minutes count from the patch or from the error, whichever is later."""
    changes = {}
    if error_minutes is not None:
        changes["status"] = status(
            type="ControllerResizeError",
            message="no\nspace",
            lastTransitionTime=minutes_ago(error_minutes),
        )
    found = outcome(one(growing(grown_seconds, **changes)))

    assert is_stuck == (isinstance(found, Blocked) and found.reason is Reason.STUCK)
    assert not is_stuck or error_minutes is None or "15 minutes: 'no" in str(found)


def test_an_error_that_is_over_does_not_count() -> None:
    """A condition that is false says nothing."""
    message = "code = FailedPrecondition"
    over = status("x", type="ControllerResizeError", status="False", message=message)

    assert isinstance(outcome(one(growing(status=over))), Wait)


def claims_only(made: Claim) -> World:
    return one(made, {**WISH, "recreate": "false"})


def test_done_means_the_filesystem_too() -> None:
    """A set is not Done while a filesystem is growing."""
    made = growing(status=status("NodeResizePending"))

    expected = Wait("the filesystem of claim data-db-0 is growing", seconds=891.0)
    assert expected == outcome(claims_only(made))


def test_a_filesystem_that_does_not_grow_is_reported() -> None:
    """After a quarter of an hour the claim is Stuck, once nothing else is left to do."""
    found = outcome(claims_only(growing(901.0, status=status("NodeResizePending"))))

    assert isinstance(found, Blocked)
    assert found.reason == Reason.STUCK


def test_unbound_claims_hold_nothing_up() -> None:
    """The set is replaced; then its status names the claims that will grow once bound."""
    assert isinstance(outcome(one(unbound())), SaveBackup)
    found = outcome(one(unbound(), {**WISH, "recreate": "false"}))
    expected = Wait("claim data-db-0 is not bound; it grows once it is", Reason.UNBOUND)
    assert expected == found


def test_a_new_replica_does_not_change_the_status() -> None:
    """A claim that is made in the wanted size is done with before it is bound."""
    new = unbound(request="20Gi")
    assert Done() == outcome(one(new, {**WISH, "recreate": "false"}))


def test_a_volume_that_has_the_size_counts_as_done() -> None:
    """Where the volume was larger all along, there is nothing to wait for."""
    made = claim(request="20Gi", capacity="20Gi", status=status("NodeResizePending"))
    assert isinstance(outcome(claims_only(made)), Wait)
    assert Done() == outcome(claims_only(replace(made, status=claim(capacity="20Gi").status)))


def test_a_grown_at_that_cannot_be_read_is_no_time() -> None:
    """Nonsense in the annotation is taken as unknown."""
    made = claim("data-db-0", "20Gi", metadata={"annotations": own({"grown-at": "yesterday"})})

    assert Wait("claim data-db-0 is growing") == outcome(one(made))
