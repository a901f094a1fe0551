"""Worlds at the beginning of a course, and what holds on every course."""

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from rso.core import successor
from rso.core.actions import (
    Done,
    GrowClaim,
    Replace,
)
from rso.core.effects import cuts
from rso.core.fold import apply, folding
from rso.core.plan import plan
from rso.core.played import settle, whole
from rso.core.quantity import read_bytes
from rso.core.world import Answers, Growth, Live, Saved, World
from tests.factories import (
    BOUNDS,
    Json,
    claim,
    claims_of,
    merged,
    own,
    owner_reference,
    pod,
    pods,
    whole_set,
    with_answers,
    world,
)

DELETE_POLICY: Json = {
    "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Retain"}
}
WISH = {"resize-0": "20Gi"}
TWO = {"data": "10Gi", "log": "5Gi"}


def owned_claims(live: Json) -> tuple[Any, ...]:
    """Return claims that name their set as owner, as whenDeleted: Delete makes them."""
    owner = owner_reference(live["metadata"]["uid"])
    names = [each.metadata.name for each in claims_of(live)]
    return tuple(claim(name, metadata={"ownerReferences": [owner]}) for name in names)


def deleting_set() -> World:
    live = whole_set(WISH, spec=DELETE_POLICY)
    return world(live, claims=owned_claims(live))


def with_left_over() -> World:
    live = whole_set(WISH, spec={"replicas": 1})
    return world(live, claims=claims_of(live, range(3)))


def mixed_progress() -> World:
    live = whole_set(WISH)
    first, *others = claims_of(live)
    return world(live, claims=(claim(first.metadata.name, "20Gi", "20Gi"), *others))


def lowered() -> World:
    live = whole_set({"resize-0": "15Gi"}, spec={"replicas": 1})
    status = {"allocatedResourceStatuses": {"storage": "ControllerResizeInfeasible"}}
    grown_at = {"annotations": own({"grown-at": "2026-11-01T11:59:00Z"})}
    infeasible = claim("data-db-0", "20Gi", "10Gi", metadata=grown_at, status=status)
    return world(live, claims=(infeasible,))


def larger_volume() -> World:
    """Return a world whose volume is larger than its claim says (kubernetes.md V40)."""
    start = world(whole_set(WISH, spec={"replicas": 1}))
    answered = apply(start, plan(start))
    known = answered.answers.growth.claims["data-db-0"]
    larger = replace(known, volume_bytes=read_bytes("20Gi"))
    growth = replace(answered.answers.growth, claims={"data-db-0": larger})
    return with_answers(answered, growth=growth)


WORLDS = {
    "no replicas": lambda: world(whole_set(WISH, spec={"replicas": 0})),
    "one replica": lambda: world(whole_set(WISH, spec={"replicas": 1})),
    "three replicas": world,
    "three replicas, two templates": lambda: world(
        whole_set({"resize.data": "20Gi", "resize-1": "6Gi"}, TWO)
    ),
    "two templates, one wish": lambda: world(whole_set({"resize-1": "6Gi"}, TWO)),
    "parallel": lambda: world(whole_set(WISH, spec={"podManagementPolicy": "Parallel"})),
    "ordinals from 5": lambda: world(whole_set(WISH, spec={"ordinals": {"start": 5}})),
    "on delete, revisions apart": lambda: world(
        whole_set(
            WISH,
            spec={"updateStrategy": {"type": "OnDelete"}},
            status={"updateRevision": "db-2"},
        )
    ),
    "claims deleted with the set": deleting_set,
    "claims left from a scale-down": with_left_over,
    "never recreated": lambda: world(whole_set({**WISH, "recreate": "false"})),
    "template stays behind the autoscaler": lambda: world(
        whole_set({"auto-resize-0": "20Gi"}), bounds=replace(BOUNDS, template_follows=False)
    ),
    "template follows the autoscaler": lambda: world(whole_set({"auto-resize-0": "20Gi"})),
    "volumes cannot be read": lambda: world(bounds=replace(BOUNDS, reads_volumes=False)),
    "wish satisfied": lambda: world(whole_set({"resize-0": "10Gi"})),
    "wish below the template": lambda: world(whole_set({"resize-0": "1Gi"})),
    "wish lowered from an infeasible size": lowered,
    "claims behind a satisfied template": lambda: world(
        whole_set({"resize-0": "10Gi", "status": "Growing: data=10Gi"}),
        claims=(claim(request="5Gi", capacity="5Gi"),),
    ),
    "some claims grown before": mixed_progress,
    "volume larger than its claim": larger_volume,
    "rolling update": lambda: world(whole_set(WISH, status={"updateRevision": "db-2"})),
    "change not yet seen": lambda: world(whole_set(WISH, metadata={"generation": 2})),
    "Pods not quiet": lambda: with_answers(world(), pods=pods(pod("db-0"), pod("db-1"))),
    "storage still growing": lambda: world(
        claims=(claim("data-db-0", "20Gi", "10Gi"), *claims_of(whole_set(WISH), [1, 2]))
    ),
    "owner, claims only": lambda: world(
        whole_set(
            {**WISH, "recreate": "false"},
            metadata={"ownerReferences": [owner_reference("u", "Database", "main")]},
        )
    ),
    "another set is absent": lambda: world(has_turn=False),
    "retain left by a withdrawn wish": lambda: world(whole_set({"when-deleted": "Delete"})),
    "versions that are no numbers": lambda: world(
        whole_set(WISH, metadata={"resourceVersion": "a7"})
    ),
}


def last_world(start: World) -> World:
    """Return the world in which a fold ends; it ends in Done."""
    moments = list(folding(start))
    final, decision = moments[-1]
    assert decision == Done()
    return final


def rest(start: World) -> Json:
    """Return what people see when all is done."""
    final = settle(last_world(start))  # claims without a Pod may still be growing
    statefulset = final.statefulset
    assert statefulset is not None
    live = whole(statefulset, final)
    for key in ("resourceVersion", "generation"):
        live["metadata"].pop(key)
    return {
        "set": live,
        "claims": [
            (each.metadata.name, each.request, each.capacity, each.metadata.owner_references)
            for each in final.claims
        ],
        "backups": final.backups,
    }


def interrupted(start: World) -> Iterator[World]:
    """Yield the world before each decision of a fold, and after each part of `Replace`."""
    for before, decision in folding(start):
        yield before
        if isinstance(decision, Replace):
            yield from cuts(before, decision)


def forgetful(before: World) -> World:
    """Return the world as a new process finds it."""
    known = before.answers
    stale = {
        name: replace(answer, resource_version="") for name, answer in known.growth.claims.items()
    }
    live = known.live and Live(merged(known.live.object, {"metadata": {"resourceVersion": "0"}}))
    return replace(before, answers=Answers(Growth(stale), live=live, backups=known.backups))


def assert_is_safe(start: World) -> None:
    """Hold each decision of a fold against the oracles O4, O5, O6 and O10."""
    moments = list(folding(start))
    for before, decision in moments:
        if isinstance(decision, GrowClaim):
            assert_grows(before, decision)
        if isinstance(decision, Replace):
            assert_is_saved(before, decision)
    assert sum(isinstance(decision, Replace) for _, decision in moments) <= 1


def assert_grows(before: World, step: GrowClaim) -> None:
    found = next(each for each in before.claims if each.metadata.name == step.claim)
    new = read_bytes(step.new)
    if found.status.resize_status.endswith("Infeasible"):
        assert read_bytes(found.capacity) < new
    else:
        assert read_bytes(found.request) < new


def assert_is_saved(before: World, step: Replace) -> None:
    statefulset = before.statefulset
    assert statefulset is not None
    backup = before.own_backup()
    assert backup is not None
    assert step.backup == backup.name
    content = before.answers.backups[backup.uid]
    assert isinstance(content, Saved)
    assert successor.is_same(content.object, whole(statefulset, before))
    for template, size in content.sizes.items():
        for each in before.claims:
            if each.metadata.name.startswith(f"{template}-") and each.status.phase == "Bound":
                assert read_bytes(size) <= max(read_bytes(each.request), _volume(before, each))
    policy = statefulset.spec.persistent_volume_claim_retention_policy
    assert policy.when_deleted == "Retain"
    assert not any(each.metadata.owner_references for each in before.claims)


def _volume(before: World, each: Any) -> int:  # noqa: ANN401  a claim
    answer = before.answers.growth.claims.get(each.metadata.name)
    return (answer.volume_bytes or 0) if answer else 0


SIZES = ("5Gi", "10Gi", "15Gi", "20Gi", "50Gi")


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Worlds whose annotations can be followed and whose storage obeys."""
    templates = draw(st.sampled_from([{"data": "10Gi"}, TWO]))
    wishes = draw(
        st.dictionaries(
            st.sampled_from(["resize-0", "resize.data", "auto-resize-0"]), st.sampled_from(SIZES)
        )
    )
    flags = draw(st.dictionaries(st.just("recreate"), st.sampled_from(["true", "false"])))
    retention = {"whenDeleted": draw(st.sampled_from(["Retain", "Delete"]))}
    live = whole_set(
        {**wishes, **flags},
        templates,
        spec={
            "replicas": draw(st.integers(0, 3)),
            "ordinals": {"start": draw(st.integers(0, 2))},
            "updateStrategy": {"type": draw(st.sampled_from(["OnDelete", "RollingUpdate"]))},
            "persistentVolumeClaimRetentionPolicy": retention,
        },
        metadata={"generation": draw(st.integers(1, 2))},
        status={"updateRevision": draw(st.sampled_from(["db-1", "db-2"]))},
    )
    claims = tuple(
        draw(claims_like(each.metadata.name))
        for each in claims_of(live, range(draw(st.integers(0, 6))))
    )
    follows = draw(st.booleans())
    bounds = replace(BOUNDS, template_follows=follows, reads_volumes=draw(st.booleans()))
    return world(live, claims=claims, bounds=bounds, has_turn=draw(st.booleans()))


@st.composite
def claims_like(draw: st.DrawFn, name: str) -> Any:  # noqa: ANN401  a claim
    """Claims somewhere on their way: capacity at the request or below it, maybe owned."""
    capacity, request = sorted(
        draw(st.tuples(st.sampled_from(SIZES), st.sampled_from(SIZES))), key=read_bytes
    )
    owners = draw(st.sampled_from([[], [owner_reference("0f5a-1")], [owner_reference("old")]]))
    return claim(name, request, capacity, metadata={"ownerReferences": owners})
