"""The quota of a namespace holds the whole set, or no claim grows."""

import pytest
from msgspec.structs import replace

from rso.core.actions import Blocked, Decision, GrowClaim
from rso.core.claims import own_claims
from rso.core.growth import grow
from rso.core.model import Claim, Quota, StorageClass
from rso.core.names import Reason
from rso.core.policy import Policy, read_policy
from rso.core.world import ClaimAnswer, World
from tests.factories import (
    BOUNDS,
    Json,
    claim,
    decoded,
    whole_set,
    with_growth,
    world,
)

WISH = {"resize-0": "20Gi"}
EXPANDABLE = {"fast": StorageClass(claim().metadata, allow_volume_expansion=True)}


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


def quota(hard: dict[str, str], used: dict[str, str]) -> Quota:
    """Return a quota of the namespace."""
    live = {"metadata": {"name": "team"}, "status": {"hard": hard, "used": used}}
    return decoded(live, Quota)


CLASS_QUOTA = "fast.storageclass.storage.k8s.io/requests.storage"


@pytest.mark.parametrize(
    ("hard", "used", "expected"),
    [
        pytest.param("60Gi", "30Gi", None, id="room for all three, exactly"),
        pytest.param("59Gi", "30Gi", "30Gi more", id="room for two of three"),
        pytest.param("20Gi", "30Gi", "0 left", id="lowered below its use"),
    ],
)
@pytest.mark.parametrize("resource", ["requests.storage", CLASS_QUOTA])
def test_the_quota_must_hold_the_whole_set(
    resource: str, hard: str, used: str, expected: str | None
) -> None:
    """Claims that each fit may not fit together: then none of them grows."""
    answers = {f"data-db-{each}": accepted() for each in range(3)}
    limits = (quota({resource: hard}, {resource: used}),)
    start = with_growth(world(), claims=answers, classes=EXPANDABLE, quotas=limits)

    found = growth_of(start)

    if expected is None:
        assert isinstance(found, GrowClaim)
    else:
        assert isinstance(found, Blocked)
        assert found.reason == Reason.QUOTA_FULL
        assert expected in found.sentence
        assert f"{resource} of the quota team" in found.sentence


@pytest.mark.parametrize(
    ("hard", "used"),
    [
        pytest.param({"pods": "1"}, {"pods": "5"}, id="of something else, over full"),
        pytest.param(
            {"slow.storageclass.storage.k8s.io/requests.storage": "1Gi"},
            {"slow.storageclass.storage.k8s.io/requests.storage": "9Gi"},
            id="of another class, over full",
        ),
    ],
)
def test_other_quotas_do_not_matter(hard: dict[str, str], used: dict[str, str]) -> None:
    """A quota that no claim is charged to refuses nothing, even when it is over full."""
    start = with_growth(
        one(),
        claims={"data-db-0": accepted()},
        classes=EXPANDABLE,
        quotas=(quota(hard, used),),
    )

    assert isinstance(growth_of(start), GrowClaim)


def test_a_claim_is_charged_with_what_is_allocated() -> None:
    """Room that a failed expansion already holds is not asked for twice."""
    made = claim(status={"allocatedResources": {"storage": "20Gi"}})
    limits = (quota({"requests.storage": "20Gi"}, {"requests.storage": "20Gi"}),)
    start = with_growth(
        one(made), claims={"data-db-0": accepted()}, classes=EXPANDABLE, quotas=limits
    )

    assert isinstance(growth_of(start), GrowClaim)


def test_a_claim_that_is_charged_more_gives_nothing_to_others() -> None:
    """What one claim holds beyond its wish is no room for the next."""
    holds = claim(status={"allocatedResources": {"storage": "100Gi"}})
    start = with_growth(
        world(whole_set(WISH), claims=(holds, claim("data-db-1"))),
        claims={"data-db-0": accepted(), "data-db-1": accepted()},
        classes=EXPANDABLE,
        quotas=(quota({"requests.storage": "115Gi"}, {"requests.storage": "110Gi"}),),
    )

    assert isinstance(growth_of(start), Blocked)


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"scopes": ["VolumeAttributesClass"]}, id="scopes"),
        pytest.param({"scopeSelector": {"matchExpressions": []}}, id="no expression"),
        pytest.param(
            {"scopeSelector": {"matchExpressions": [{"scopeName": "VolumeAttributesClass"}]}},
            id="a selector",
        ),
    ],
)
def test_a_quota_of_some_claims_is_left_to_the_dry_runs(spec: Json) -> None:
    """A quota with a scope does not count each claim, so its sum says nothing."""
    live = {"metadata": {"name": "gold"}, "spec": spec}
    full = {"hard": {"requests.storage": "1Gi"}, "used": {"requests.storage": "1Gi"}}
    start = with_growth(
        one(),
        claims={"data-db-0": accepted()},
        classes=EXPANDABLE,
        quotas=(decoded(live | {"status": full}, Quota),),
    )

    assert isinstance(growth_of(start), GrowClaim)


def test_an_unused_quota_has_all_its_room() -> None:
    """A quota whose use is not counted yet is taken as unused."""
    start = with_growth(
        one(),
        claims={"data-db-0": accepted()},
        classes=EXPANDABLE,
        quotas=(quota({"requests.storage": "5Gi"}, {}),),
    )

    assert isinstance(growth_of(start), Blocked)
