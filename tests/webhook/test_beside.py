"""Changes beside a size, dry runs, and what never arrives."""

import json
from collections.abc import Callable

import pytest

from tests.support.reviewers import Reviewer
from tests.support.sets import PREFIX, Json, Sets, statefulset, template_sizes
from tests.webhook.ways import (
    MANIFESTS,
    OWN_WORDS,
    WISH,
    Way,
    client_apply,
    manifest,
    own,
    run,
    start,
)


@pytest.mark.parametrize("way", MANIFESTS)
def test_an_image_and_a_size_arrive_together(sets: Sets, way: Way) -> None:
    """One apply with both: the new image is stored, the size becomes a wish."""
    start(sets, way, manifest())
    changed = json.loads(manifest("2Gi"))
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "localhost/new:2"

    way(sets, json.dumps(changed))

    containers = sets.get("db")["spec"]["template"]["spec"]["containers"]
    assert "localhost/new:2" == containers[0]["image"]
    assert WISH == own(sets)


def renamed(body: Json) -> None:
    body["spec"]["volumeClaimTemplates"][0]["metadata"]["name"] = "other"


def added(body: Json) -> None:
    extra = json.loads(manifest())["spec"]["volumeClaimTemplates"][0]
    body["spec"]["volumeClaimTemplates"].append({**extra, "metadata": {"name": "more"}})


def removed(body: Json) -> None:
    body["spec"]["volumeClaimTemplates"] = []


def another_service(body: Json) -> None:
    body["spec"]["serviceName"] = "other"


@pytest.mark.parametrize("way", MANIFESTS)
@pytest.mark.parametrize("change", [renamed, added, removed, another_service])
def test_what_kubernetes_refuses_it_refuses_in_its_own_words(
    sets: Sets, way: Way, change: Callable[[Json], None]
) -> None:
    """A bigger size beside a forbidden change: the message is the API server's, unchanged."""
    start(sets, way, manifest())
    body = json.loads(manifest("2Gi"))
    change(body)

    told = way(sets, json.dumps(body))

    assert OWN_WORDS in told
    assert "admission webhook" not in told
    assert {} == own(sets)


def test_reordered_templates_are_refused_by_kubernetes(sets: Sets) -> None:
    """Another order is another spec."""
    body = statefulset(replicas=0, sizes={"data": "1Gi", "log": "1Gi"})
    client_apply(sets, json.dumps(body))
    body["spec"]["volumeClaimTemplates"].reverse()
    body["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] = "2Gi"

    assert OWN_WORDS in client_apply(sets, json.dumps(body))


def test_a_dry_run_shows_the_wish_and_does_nothing(sets: Sets) -> None:
    """`--dry-run=server` prints what would be stored."""
    client_apply(sets, manifest())

    shown = run(sets, "apply", "--dry-run=server", "-o", "json", "-f", "-", stdin=manifest("2Gi"))

    assert f'"{PREFIX}resize-0": "2Gi"' in shown
    assert {} == own(sets)


def test_the_manifest_that_was_applied_is_remembered_as_it_was(sets: Sets) -> None:
    """`last-applied-configuration` says what the person said: the bigger size."""
    client_apply(sets, manifest())
    client_apply(sets, manifest("2Gi"))

    key = "kubectl.kubernetes.io/last-applied-configuration"
    said = json.loads(sets.get("db")["metadata"]["annotations"][key])
    assert {"data": "2Gi"} == template_sizes(said)


def test_what_does_not_matter_never_arrives(sets: Sets, reviewer: Reviewer) -> None:
    """Scale, status, labels and images of a set that is done are not asked about."""
    client_apply(sets, manifest(resize_0="1Gi"))
    before = reviewer.metric("rso_reviews_total")

    run(sets, "scale", "sts", "db", "--replicas=1")
    run(sets, "label", "sts", "db", "team=blue")
    run(sets, "set", "image", "sts", "db", "main=localhost/new:2")
    run(sets, "patch", "sts", "db", "--subresource=status", "--type=merge", "-p", "{}")
    run(sets, "delete", "sts", "db", "--cascade=orphan")

    assert before == reviewer.metric("rso_reviews_total")


def test_decisions_are_counted(sets: Sets, reviewer: Reviewer) -> None:
    """Each verdict has its series, and the certificate its expiry."""
    outcomes = ("changed", "denied", "unchanged")

    def counts() -> list[float]:
        return [
            reviewer.metric("rso_reviews_total", operation="UPDATE", outcome=each)
            for each in outcomes
        ]

    before = counts()
    client_apply(sets, manifest())
    client_apply(sets, manifest("2Gi"))
    client_apply(sets, manifest("20Gi"))
    run(sets, "annotate", "sts", "db", f"{PREFIX}recreate=false")

    # The API server may ask again about the same request, when the set changed meanwhile.
    assert all(after > each for after, each in zip(counts(), before, strict=True))
    assert reviewer.metric("rso_certificate_expiry_timestamp_seconds") > 1.7e9
    assert reviewer.metric("rso_review_seconds_count") >= 2
