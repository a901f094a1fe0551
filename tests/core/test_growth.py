"""Claims: what is asked before they grow, what refuses, and in which order they grow."""

import pytest
from msgspec.structs import replace

from rso.core.actions import AskGrowth, Blocked, Decision, GrowClaim
from rso.core.claims import own_claims
from rso.core.growth import grow
from rso.core.model import Claim, StorageClass
from rso.core.names import Reason
from rso.core.policy import Policy, read_policy
from rso.core.world import ClaimAnswer, Refusal, World
from tests.factories import (
    BOUNDS,
    GIB,
    Json,
    claim,
    claims_of,
    own,
    unbound,
    whole_set,
    with_growth,
    world,
)

WISH = {"resize-0": "20Gi"}
EXPANDABLE = {"fast": StorageClass(claim().metadata, allow_volume_expansion=True)}
GROWN_AT = {"annotations": own({"grown-at": "2026-11-01T11:00:00Z"})}
NODE_INFEASIBLE: Json = {"allocatedResourceStatuses": {"storage": "NodeResizeInfeasible"}}
INFEASIBLE: Json = {"allocatedResourceStatuses": {"storage": "ControllerResizeInfeasible"}}


def growth_of(start: World) -> Decision | None:
    """Return what is decided about the claims alone."""
    assert start.statefulset is not None
    policy = read_policy(start.statefulset, BOUNDS, {})
    assert isinstance(policy, Policy)
    claims = own_claims(start, policy)
    assert isinstance(claims, tuple)
    return grow(start, claims)


def one(made: Claim | None = None, annotations: dict[str, str] | None = None) -> World:
    """Return a world of one claim."""
    live = whole_set(annotations or WISH, spec={"replicas": 1})
    return world(live, claims=(made or claim(),))


def accepted(version: str = "50", size: str = "20Gi", **fields: object) -> ClaimAnswer:
    """Return the answer to a dry growth."""
    return replace(ClaimAnswer(version, size), **fields)


def asked(
    start: World, answer: ClaimAnswer, classes: dict[str, StorageClass | None] | None = None
) -> World:
    """Return the world in which the first claim has this answer."""
    known = EXPANDABLE if classes is None else classes
    return with_growth(start, claims={"data-db-0": answer}, classes=known)


def test_all_claims_are_asked_about_before_the_first_grows() -> None:
    """One question covers every claim that must grow, and the class that each names."""
    live = whole_set(WISH)
    other = claim("data-db-1", spec={"storageClassName": "slow"})
    done = claim("data-db-2", "20Gi", "20Gi")
    start = world(live, claims=(done, other, claim()))

    sizes = {"data-db-0": "20Gi", "data-db-1": "20Gi"}
    assert AskGrowth(sizes, ("fast", "slow")) == growth_of(start)


def test_classes_are_not_read_in_namespaced_mode() -> None:
    """Without cluster rights the dry run is the check."""
    start = replace(one(), bounds=replace(BOUNDS, reads_volumes=False))

    assert AskGrowth({"data-db-0": "20Gi"}, ()) == growth_of(start)
    answered = with_growth(start, claims={"data-db-0": accepted()})
    assert GrowClaim("data-db-0", "50", "10Gi", "20Gi") == growth_of(answered)


def test_an_accepted_claim_grows() -> None:
    """The patch carries the version that was looked at, and both sizes."""
    assert GrowClaim("data-db-0", "50", "10Gi", "20Gi") == growth_of(asked(one(), accepted()))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(accepted(version="49"), id="about an older claim"),
        pytest.param(accepted(size="15Gi"), id="about another size"),
    ],
)
def test_an_old_answer_is_asked_again(answer: ClaimAnswer) -> None:
    """An answer counts for the claim and the size that it was given for."""
    assert AskGrowth({"data-db-0": "20Gi"}, ("fast",)) == growth_of(asked(one(), answer))


@pytest.mark.parametrize(
    ("made", "annotations"),
    [
        pytest.param(claim(request="20Gi"), WISH, id="the request is there"),
        pytest.param(claim(request="20480Mi"), WISH, id="the request is there in other words"),
        pytest.param(claim(request="30Gi"), WISH, id="the request is larger"),
        pytest.param(claim(capacity="20Gi"), WISH, id="the volume was made larger"),
        pytest.param(unbound(), WISH, id="it is not bound"),
        pytest.param(claim(), {"resize-0": "10Gi"}, id="the wish is satisfied"),
        pytest.param(claim(), {"resize-0": "5Gi"}, id="the wish is smaller"),
    ],
)
def test_claims_only_grow(made: Claim, annotations: dict[str, str]) -> None:
    """A claim that has what is wanted, or more, is left alone."""
    assert growth_of(one(made, annotations)) is None


def test_a_volume_that_has_the_size_is_left_alone() -> None:
    """A request below the volume's real size would make Kubernetes flip for ever (V40)."""
    assert growth_of(asked(one(), accepted(volume_bytes=20 * GIB))) is None
    less = asked(one(), accepted(volume_bytes=20 * GIB - 1))
    assert isinstance(growth_of(less), GrowClaim)


@pytest.mark.parametrize("name", ["", None])
def test_a_claim_without_class_cannot_grow(name: str | None) -> None:
    """Kubernetes expands only claims that name a class; nothing is asked in vain."""
    blocked = growth_of(one(claim(spec={"storageClassName": name})))

    assert isinstance(blocked, Blocked)
    assert blocked.reason == Reason.NO_CLASS
    assert "claim data-db-0" in blocked.sentence


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        pytest.param({"fast": None}, "does not exist", id="the class is gone"),
        pytest.param(
            {"fast": StorageClass(claim().metadata)}, "does not allow expansion", id="not said"
        ),
        pytest.param(
            {"fast": StorageClass(claim().metadata, allow_volume_expansion=False)},
            "set allowVolumeExpansion: true",
            id="forbidden",
        ),
    ],
)
def test_a_class_must_allow_expansion(classes: dict[str, StorageClass | None], words: str) -> None:
    """A class that is gone or does not expand is named, with what to do."""
    blocked = growth_of(asked(one(), accepted(), classes))

    assert isinstance(blocked, Blocked)
    assert blocked.reason == Reason.NOT_EXPANDABLE
    assert words in blocked.sentence


def test_one_refused_claim_stops_all() -> None:
    """No claim grows while the last one of the set would be refused."""
    live = whole_set(WISH)
    refusal = Refusal(422, "Invalid", "spec: Forbidden: no")
    answers = {f"data-db-{each}": accepted() for each in range(3)}
    answers["data-db-2"] = accepted(refusal=refusal)
    start = with_growth(world(live), claims=answers, classes=EXPANDABLE)

    blocked = growth_of(start)

    assert isinstance(blocked, Blocked)
    assert blocked.reason == Reason.ADMISSION_REFUSES
    assert "claim data-db-2" in blocked.sentence


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        pytest.param("15Gi", "15Gi", id="between capacity and request"),
        pytest.param("10737418241", "10737418241", id="a byte above the capacity"),
        pytest.param("10Gi", None, id="at the capacity"),
        pytest.param("5Gi", None, id="below the capacity"),
        pytest.param("20Gi", None, id="as it was"),
    ],
)
def test_an_infeasible_claim_follows_a_lowered_wish(wish: str, expected: str | None) -> None:
    """Only towards a size above its capacity, as Kubernetes allows (KEP-1790, O4)."""
    made = claim(request="20Gi", metadata=GROWN_AT, status=INFEASIBLE)
    found = growth_of(one(made, {"resize-0": wish}))

    step = GrowClaim("data-db-0", "50", "20Gi", expected) if expected else None
    assert step == found


def test_a_refused_lowering_is_told() -> None:
    """A server that refuses the smaller request is quoted, and not asked again at every look."""
    made = claim(request="20Gi", metadata=GROWN_AT, status=INFEASIBLE)
    refusal = Refusal(422, "Invalid", "field can not be less than previous value")
    start = asked(one(made, {"resize-0": "15Gi"}), accepted(size="15Gi", refusal=refusal))
    found = growth_of(start)

    assert isinstance(found, Blocked)
    assert found.reason is Reason.ADMISSION_REFUSES
    assert "field can not be less than previous value" in found.sentence


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(claim(request="20Gi", status=INFEASIBLE), id="somebody else made it grow"),
        pytest.param(claim(request="20Gi", metadata=GROWN_AT), id="it is not infeasible"),
        pytest.param(
            claim(request="20Gi", metadata=GROWN_AT, status=NODE_INFEASIBLE),
            id="its volume has grown already",
        ),
    ],
)
def test_nothing_else_is_ever_lowered(made: Claim) -> None:
    """A request that we did not raise, or that may still succeed, stays."""
    assert growth_of(one(made, {"resize-0": "15Gi"})) is None


def test_lowering_needs_no_other_claim_s_leave() -> None:
    """What frees a set from an infeasible size comes before anything that could refuse."""
    made = claim("data-db-1", "20Gi", metadata=GROWN_AT, status=INFEASIBLE)
    start = world(whole_set({"resize-0": "15Gi"}), claims=(*claims_of(whole_set(), [0]), made))

    assert GrowClaim("data-db-1", "50", "20Gi", "15Gi") == growth_of(start)
