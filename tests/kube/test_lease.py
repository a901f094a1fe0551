"""One leader at a time: rivals, hanging renewals, lost answers, a clean end."""

import asyncio
import re

import pytest

from rso.kube.client import Client
from rso.kube.errors import LeaseLost
from rso.kube.lease import Lease
from rso.kube.transport import Request, Response
from tests.kube.clock import FakeClock, settle
from tests.kube.rivals import Hanging, LeaseServer, Rival, end, lease


@pytest.fixture
def server() -> LeaseServer:
    """Return a server without a Lease."""
    return LeaseServer()


async def test_takes_and_renews(server: LeaseServer, clock: FakeClock) -> None:
    """The first instance leads at once and for as long as it renews."""
    rival = Rival(server, clock, "a")
    await clock.advance(100)

    assert rival.history == ["begins"]
    assert rival.lease.is_held()
    assert (server.spec["holderIdentity"], server.spec["leaseTransitions"]) == ("a", 0)
    assert server.spec["leaseDurationSeconds"] == 15
    await end(rival)


async def test_times_have_microseconds(server: LeaseServer, clock: FakeClock) -> None:
    """Times are UTC with six digits, as MicroTime wants."""
    rival = Rival(server, clock, "a")
    await clock.advance(1)

    assert re.fullmatch(r"2026-01-01T00:00:\d\d\.\d{6}Z", server.spec["renewTime"])
    assert re.fullmatch(r"2026-01-01T00:00:\d\d\.\d{6}Z", server.spec["acquireTime"])
    await end(rival)


async def test_rival_waits(server: LeaseServer, clock: FakeClock) -> None:
    """A second instance does not work while the first renews."""
    first, second = Rival(server, clock, "a"), Rival(server, clock, "b")
    await clock.advance(100)

    assert first.history + second.history == ["begins"]
    await end(first)
    await end(second)


async def test_clean_end_hands_over(server: LeaseServer, clock: FakeClock) -> None:
    """After a clean end the Lease has no holder, and a rival leads within its next look."""
    first = Rival(server, clock, "a")
    await clock.advance(1)
    second = Rival(server, clock, "b")
    first.finish.set()
    await settle()
    free = server.spec["holderIdentity"]
    await clock.advance(2.4)
    await first.holding

    assert free == ""
    assert second.history == ["begins"]
    assert server.spec["leaseTransitions"] == 1
    assert not first.lease.is_held()
    await end(second)


async def test_hanging_renewal(server: LeaseServer, clock: FakeClock) -> None:
    """Work is cancelled ten seconds after the last good renewal was sent, though a request hangs.

    Before the work is cancelled, the Lease no longer counts as held, so nothing is written.
    """
    rival = Rival(server, clock, "a")
    await clock.advance(1)
    server.hangs = True
    await clock.advance(8.9)
    before = list(rival.history)
    await clock.advance(0.2)

    assert before == ["begins"]
    assert rival.history == ["begins", "is cancelled", "ends"]
    with pytest.raises(LeaseLost):
        await rival.holding


async def test_counts_from_sending(server: LeaseServer, clock: FakeClock) -> None:
    """A renewal whose answer took four seconds holds for ten seconds from its sending."""
    rival = Rival(server, clock, "a")
    await clock.advance(1)
    slow = asyncio.Event()
    send = server.send

    async def slowly(request: Request) -> Response:
        found = await send(request)
        await slow.wait()
        return found

    server.send = slowly  # type: ignore[method-assign]  # this server's answers become slow
    await clock.advance(5)  # the renewal was sent at 2
    slow.set()
    await settle()
    server.hangs = True
    await clock.advance(12 - clock.monotonic() - 0.1)
    before = rival.lease.is_held()
    await clock.advance(0.2)

    assert before
    assert rival.history == ["begins", "is cancelled", "ends"]
    with pytest.raises(LeaseLost):
        await rival.holding


async def test_never_two(server: LeaseServer, clock: FakeClock) -> None:
    """A rival takes over from a leader that hangs only after that one's work was cancelled."""
    first = Rival(server, clock, "a")
    await clock.advance(1)
    healthy = Rival(server, clock, "b")
    await clock.advance(1)
    broken = Client(Hanging(), clock=clock, field_manager="tester")
    first.lease._client = broken
    while not healthy.history:
        assert clock.monotonic() < 60
        held = first.lease.is_held() and healthy.lease.is_held()
        assert not held
        await clock.advance(0.1)

    assert first.history == ["begins", "is cancelled", "ends"]
    await end(healthy)
    with pytest.raises(LeaseLost):
        await first.holding


async def test_judges_by_own_clock(server: LeaseServer, clock: FakeClock) -> None:
    """A record from the future or the far past is respected for 15 seconds of our own clock."""
    server.write(holderIdentity="z", leaseDurationSeconds=15, renewTime="1999-01-01T00:00:00.0Z")
    rival = Rival(server, clock, "a")
    await clock.advance(14.9)
    before = list(rival.history)
    await clock.advance(3)

    assert before == []
    assert rival.history == ["begins"]
    await end(rival)


async def test_respects_longer_duration(server: LeaseServer, clock: FakeClock) -> None:
    """A rival that asked for a longer duration gets it."""
    server.write(holderIdentity="z", leaseDurationSeconds=60, renewTime="1999-01-01T00:00:00.0Z")
    rival = Rival(server, clock, "a")
    await clock.advance(59)
    before = list(rival.history)
    await clock.advance(4)

    assert before == []
    assert rival.history == ["begins"]
    await end(rival)


async def test_same_identity_is_a_rival(server: LeaseServer, clock: FakeClock) -> None:
    """A record with our identity that we did not write is waited for like any other."""
    server.write(holderIdentity="a", leaseDurationSeconds=15, renewTime="1999-01-01T00:00:00.0Z")
    rival = Rival(server, clock, "a")
    await clock.advance(14)

    assert rival.history == []
    await end(rival)


async def test_lost_answer_of_taking(server: LeaseServer, clock: FakeClock) -> None:
    """An instance whose taking succeeded without an answer leads after its next look."""
    server.loses_answers = 1
    rival = Rival(server, clock, "a")
    await clock.advance(3)

    assert rival.history == ["begins"]
    await end(rival)


async def test_lost_answer_of_renewal(server: LeaseServer, clock: FakeClock) -> None:
    """Renewals whose answers are lost do not make the leader lose."""
    rival = Rival(server, clock, "a")
    await clock.advance(1)
    server.loses_answers = 2
    await clock.advance(30)

    assert rival.history == ["begins"]
    await end(rival)


async def test_conflict_with_other_writer(server: LeaseServer, clock: FakeClock) -> None:
    """A leader goes on when somebody changed the Lease but not its holder."""
    rival = Rival(server, clock, "a")
    await clock.advance(1)
    server.write()
    await clock.advance(30)

    assert rival.history == ["begins"]
    await end(rival)


async def test_taken_by_other(server: LeaseServer, clock: FakeClock) -> None:
    """A leader whose Lease was taken cancels its work at the next renewal."""
    rival = Rival(server, clock, "a")
    await clock.advance(1)
    server.write(holderIdentity="b", renewTime="2026-01-01T00:00:09.000000Z")
    await clock.advance(1.1)

    assert rival.history == ["begins", "is cancelled", "ends"]
    assert server.spec["holderIdentity"] == "b"
    with pytest.raises(LeaseLost, match="held by b"):
        await rival.holding


async def test_taken_by_namesake(server: LeaseServer, clock: FakeClock) -> None:
    """A leader whose Lease was taken by another instance of the same identity loses it too."""
    rival = Rival(server, clock, "a")
    await clock.advance(1)
    server.write(renewTime="2026-01-01T00:00:09.000000Z")
    await clock.advance(1.1)

    assert rival.history == ["begins", "is cancelled", "ends"]
    with pytest.raises(LeaseLost):
        await rival.holding


async def test_deleted_lease(server: LeaseServer, clock: FakeClock) -> None:
    """A leader whose Lease was deleted cancels its work: another may have been made."""
    rival = Rival(server, clock, "a")
    await clock.advance(1)
    server.record = None
    await clock.advance(2)

    assert rival.history == ["begins", "is cancelled", "ends"]
    with pytest.raises(LeaseLost, match="deleted"):
        await rival.holding


async def test_cancelled_work_keeps_lease(server: LeaseServer, clock: FakeClock) -> None:
    """On cancellation the Lease is renewed until the work has ended, and only then given back."""
    rival = Rival(server, clock, "a")
    await clock.advance(1)
    rival.cleanup_seconds = 60
    rival.holding.cancel()
    await clock.advance(59)
    during = (server.spec["holderIdentity"], rival.lease.is_held())
    await clock.advance(1.5)

    assert during == ("a", True)
    assert server.spec["holderIdentity"] == ""
    assert rival.history == ["begins", "is cancelled and held", "ends"]
    assert rival.holding.cancelled()


async def test_failed_work(server: LeaseServer, clock: FakeClock) -> None:
    """Work that fails gives the Lease back and its error is raised."""

    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await lease(server, clock).hold(fail)

    assert server.spec["holderIdentity"] == ""


async def test_crash_keeps_lease(server: LeaseServer, clock: FakeClock) -> None:
    """What is no Exception is a dying process: it gives nothing back."""

    class Crash(BaseException):
        pass

    async def crash() -> None:
        raise Crash

    with pytest.raises(Crash):
        await lease(server, clock).hold(crash)

    assert server.spec["holderIdentity"] == "a"


async def test_release_with_server_away(server: LeaseServer, clock: FakeClock) -> None:
    """Giving back never hangs and never fails the work."""
    rival = Rival(server, clock, "a")
    await clock.advance(1)
    server.hangs = True
    rival.finish.set()
    await clock.advance(12)

    await rival.holding


def test_durations_make_sense() -> None:
    """Durations with which two could lead are refused."""
    with pytest.raises(ValueError, match="duration"):
        Lease(None, None, "n", "l", "i", renew_deadline_seconds=15)  # type: ignore[arg-type]  # never used
