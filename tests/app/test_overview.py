"""What a person sees of a set follows from the World and what is decided from it."""

import pytest

from rso.app.overview import is_managed, overview
from rso.core.names import Phase
from rso.core.plan import plan
from rso.core.world import World
from tests import factories

WISH = {"resize-0": "20Gi"}


def looked(start: World) -> tuple[str, str, str]:
    """Return (phase, reason, message) of what is decided from a world."""
    found = overview(start, plan(start))
    return found.phase, found.reason, found.message


def wishing(**annotations: str) -> World:
    """Return a world whose set wishes, with these annotations besides."""
    more = {key.replace("_", "-"): text for key, text in annotations.items()}
    return factories.world(factories.whole_set(WISH | more))


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        pytest.param(wishing(), ("Growing", "", ""), id="a wish that nobody has begun is Growing"),
        pytest.param(
            wishing(status="Done: data=10Gi"),
            ("Growing", "", ""),
            id="Done of an earlier wish is out of date",
        ),
        pytest.param(
            wishing(status="Blocked: QuotaFull: no room; raise it"),
            ("Blocked", "QuotaFull", "no room; raise it"),
            id="what only the operator can know is taken from its status",
        ),
        pytest.param(
            wishing(status="Waiting: data=20Gi"),
            ("Waiting", "", "data=20Gi"),
            id="a wish that the webhook has just written waits",
        ),
        pytest.param(
            wishing(resize_0="much"),
            ("Blocked", "Malformed"),
            id="a wish that cannot be read is Blocked at once",
        ),
        pytest.param(
            factories.world(factories.whole_set({})),
            ("Unmanaged", "", ""),
            id="a set without our annotations is Unmanaged",
        ),
        pytest.param(
            factories.world(factories.whole_set({"resize-0": "5Gi"})),
            ("Done", "", ""),
            id="a wish below the template is Done",
        ),
    ],
)
def test_a_phase_follows_from_what_is_decided(start: World, expected: tuple[str, ...]) -> None:
    """The phase is what is decided; the status tells only what a look cannot know."""
    assert expected == looked(start)[: len(expected)]


@pytest.mark.parametrize(
    ("phase", "is_absent"),
    [
        pytest.param(Phase.DELETING, True, id="deleting: it is away because of us"),
        pytest.param(Phase.SUPERSEDED, False, id="superseded: its user deleted it since"),
        pytest.param(None, False, id="a mere copy: its user deleted it"),
    ],
)
def test_only_sets_that_are_away_because_of_us_are_absent(
    phase: Phase | None,
    is_absent: bool,  # noqa: FBT001  a table's column
) -> None:
    """A set that its user deleted has no line; one that we deleted has."""
    start = factories.world(statefulset=None, claims=(), backups=(factories.backup(phase=phase),))

    assert is_absent == is_managed(start)
    assert is_absent == (looked(start)[0] == "Absent")


def test_claims_and_capacities_are_counted() -> None:
    """Done are the claims that have the wanted size; capacities have both ends."""
    claims = (
        factories.claim("data-db-0", "20Gi", "20Gi"),
        factories.claim("data-db-1", "20Gi", "10Gi"),
        factories.unbound("data-db-2"),
    )
    start = factories.world(claims=claims)

    (found,) = overview(start, plan(start)).templates

    assert ("10Gi", "20Gi") == (found.size, found.wanted)
    assert (1, 3) == (found.claims_done, found.claims_total)
    assert ("10Gi", "20Gi") == (found.smallest, found.largest)
