"""Which claim belongs to which set, though names alone are ambiguous."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rso.core import claims, selector
from rso.core.actions import AskPods
from rso.core.model import Claim
from rso.core.policy import Policy, read_policy
from rso.core.world import World
from tests.factories import (
    BOUNDS,
    GIB,
    claim,
    pod,
    pods,
    statefulset,
    told,
    unbound,
    whole_set,
    with_answers,
    world,
)

LABEL = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


@given(LABEL, LABEL, st.integers(0, 2**31))
def test_a_claim_finds_its_set(template: str, name: str, ordinal: int) -> None:
    """The set of a claim is among those that its name allows."""
    made = selector.claim_name(template, name, ordinal)

    assert name in list(selector.possible_owners(made))
    assert (f"{template}-{name}", ordinal) == selector.split_ordinal(made)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("data-a-b-0", ["a-b", "b"]),
        ("data-a-0", ["a"]),
        ("data-0", []),
        ("-a-0", []),
        ("data--0", []),
        ("data-a--0", ["a-"]),
        ("data-a", []),
        ("data-a-01", []),
        ("data-a-x", []),
        ("data-a-0\n", []),
        ("data-a-\u0663", []),
        ("", []),
    ],
)
def test_every_possible_owner_is_named(name: str, expected: list[str]) -> None:
    """Each dash may be the one between template and set; no ordinal, no owner."""
    assert expected == list(selector.possible_owners(name))


def test_pods_are_found_by_the_name_of_their_set() -> None:
    """A Pod belongs by the exact name and a plain ordinal."""
    listed = [pod("db-0"), pod("db-12"), pod("db-x-1"), pod("db"), pod("db-01"), pod("d-2")]

    assert list(selector.pods_of(statefulset(), listed)) == [0, 12]


def test_ordinals_begin_where_the_set_says() -> None:
    """The ordinals of Pods begin at `spec.ordinals.start`."""
    made = statefulset(spec={"ordinals": {"start": 5}, "replicas": 2})

    assert list(selector.ordinals(made)) == [5, 6]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param({"app": "db", "more": "x"}, True, id="all and more"),
        pytest.param({"app": "other"}, False, id="another value"),
        pytest.param({"app": None}, False, id="none"),
    ],
)
def test_labels_must_match_the_selector(labels: dict[str, str | None], expected: bool) -> None:  # noqa: FBT001  a table
    """A claim has the labels of its set when all of the selector's are equal."""
    made = claim(metadata={"labels": labels})

    assert expected == selector.has_labels(statefulset(), made)


def test_a_selector_without_labels_matches_nothing() -> None:
    """A selector of expressions alone says nothing about claims: Pods must tell."""
    made = statefulset(
        spec={"selector": {"matchLabels": None, "matchExpressions": [{"key": "app"}]}}
    )

    assert not selector.has_labels(made, claim())


def test_a_pod_mounts_by_exact_name() -> None:
    """A claim is mounted when a volume of a Pod names it."""
    assert selector.is_mounted(claim("data-db-0"), [pod("db-1"), pod("db-0")])
    assert not selector.is_mounted(claim("data-db-0"), [pod("db-1")])


def policy_of(start: World) -> Policy:
    assert start.statefulset is not None
    found = read_policy(start.statefulset, BOUNDS, {})
    assert isinstance(found, Policy)
    return found


def own_names(start: World) -> list[str]:
    found = claims.own_claims(start, policy_of(start))
    assert not isinstance(found, AskPods)
    return [each.name for each in found]


def stranger(name: str = "data-db-0") -> Claim:
    """Return a claim that bears a name of the set and none of its labels."""
    return claim(name, metadata={"labels": {"app": "other"}})


def test_claims_come_smallest_ordinal_first() -> None:
    """Claims are ordered by ordinal as a number, then by template."""
    live = whole_set({"resize-0": "20Gi"}, {"data": "10Gi", "log": "5Gi"})
    names = ["data-db-10", "log-db-2", "data-db-2", "data-db-0"]
    start = world(live, claims=tuple(claim(name) for name in names))

    assert own_names(start) == ["data-db-0", "data-db-2", "log-db-2", "data-db-10"]


def test_claims_of_others_are_left_out() -> None:
    """Another set's claim, one without ordinal and one being deleted do not belong."""
    deleted = claim("data-db-1", metadata={"deletionTimestamp": "2026-11-01T00:00:00Z"})
    others = (claim("data-x-db-0"), claim("data-db"), claim("wal-db-0"), deleted)

    assert own_names(world(claims=(claim(), *others))) == ["data-db-0"]


def test_a_stranger_by_labels_is_asked_about() -> None:
    """A claim with the right name and other labels belongs only if a Pod of the set mounts it."""
    start = world(claims=(stranger(),))

    assert AskPods() == claims.own_claims(start, policy_of(start))
    assert own_names(with_answers(start, pods=pods())) == ["data-db-0"]
    assert own_names(with_answers(start, pods=pods(pod("db-1")))) == []


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(told(world(claims=(stranger(),)), "Done: data=20Gi"), id="the set is Done"),
        pytest.param(
            world(claims=(claim(request="20Gi", metadata={"labels": {"app": "x"}}),)),
            id="it has its size",
        ),
        pytest.param(
            world(
                claims=(
                    replace(
                        unbound(),
                        metadata=replace(unbound().metadata, labels={}),
                    ),
                )
            ),
            id="it is not bound",
        ),
    ],
)
def test_nobody_asks_about_a_stranger_in_vain(start: World) -> None:
    """Pods are listed only while a claim known by its mount could have to grow."""
    assert own_names(start) == []


def test_the_largest_request_counts_per_template() -> None:
    """The largest claim of each template's name is found, the set's or not."""
    live = whole_set({}, {"data": "10Gi", "log": "5Gi"})
    made = (claim("data-db-0", "7Gi"), claim("data-db-1", "6Gi"), claim("x-db-0"), claim("data"))

    assert claims.largest_requests(world(live, claims=made)) == {0: 7 * GIB}


def test_without_a_set_there_are_no_claims() -> None:
    """No set, no claims, nothing to ask."""
    start = world()
    away = replace(start, statefulset=None)

    assert claims.own_claims(away, policy_of(start)) == ()
    assert list(claims.named_claims(away, policy_of(start))) == []
    assert claims.largest_requests(away) == {}
