"""The table of cases at a real API server: what a person does, sees, and is left with."""

import json
from collections.abc import Callable

import pytest

from testbed.api import ApiRefusal
from tests.support.reviewers import Reviewer, kubectl
from tests.support.sets import PREFIX, Json, Sets, statefulset, template_sizes

TAKEN = (
    "data: 1Gi -> 2Gi is taken as a wish; every claim grows and no Pod restarts; watch it: kubectl "
    "rso status db -n {namespace} -w"
)
WISH = {"resize-0": "2Gi", "declared-0": "2Gi", "status": "Waiting: data=2Gi"}
OWN_WORDS = "field is immutable"  # what Kubernetes 1.37 says


def own(sets: Sets) -> dict[str, str]:
    """Return our annotations of `db`, without the prefix."""
    annotations = sets.get("db")["metadata"].get("annotations", {})
    return {k.removeprefix(PREFIX): v for k, v in annotations.items() if k.startswith(PREFIX)}


def is_observed(sets: Sets) -> bool:
    """Return whether the StatefulSet controller has nothing more to write."""
    found = sets.get("db")
    seen = found.get("status", {}).get("observedGeneration")
    return bool(seen == found["metadata"]["generation"] and found["status"].get("updateRevision"))


def manifest(size: str = "1Gi", **annotations: str) -> str:
    """Return the manifest that a person has in Git."""
    own = {PREFIX + key.replace("_", "-"): text for key, text in annotations.items()}
    return json.dumps(statefulset(replicas=0, sizes={"data": size}, annotations=own))


def client_apply(sets: Sets, text: str) -> str:
    return _run(sets, "apply", "-f", "-", stdin=text)


def server_apply(sets: Sets, text: str) -> str:
    return _run(sets, "apply", "--server-side", "-f", "-", stdin=text)


def replace(sets: Sets, text: str) -> str:
    return _run(sets, "replace", "-f", "-", stdin=text)


def json_patch(sets: Sets, text: str) -> str:
    size = _size(text)
    path = "/spec/volumeClaimTemplates/0/spec/resources/requests/storage"
    operation = {"op": "replace", "path": path, "value": size}
    return _run(sets, "patch", "sts", "db", "--type=json", "-p", json.dumps([operation]))


def edit(sets: Sets, text: str) -> str:
    """Send what `kubectl edit` sends: a patch with the list of templates."""
    templates = json.loads(text)["spec"]["volumeClaimTemplates"]
    body = json.dumps({"spec": {"volumeClaimTemplates": templates}})
    return _run(sets, "patch", "sts", "db", "--type=merge", "-p", body)


def _size(text: str) -> str:
    templates = json.loads(text)["spec"]["volumeClaimTemplates"]
    return str(templates[0]["spec"]["resources"]["requests"]["storage"])


def _run(sets: Sets, *arguments: str, stdin: str = "") -> str:
    ran = kubectl(sets.cluster, "-n", sets.namespace, *arguments, stdin=stdin)
    return ran.stdout + ran.stderr


WAYS = [client_apply, server_apply, replace, json_patch, edit]
MANIFESTS = [client_apply, server_apply, replace]
Way = Callable[[Sets, str], str]


@pytest.mark.parametrize("way", WAYS)
def test_a_bigger_size_becomes_a_wish(sets: Sets, way: Way) -> None:
    """However it is sent: the template stays, the wish is noted, and the person is told."""
    start = server_apply if way is server_apply else client_apply
    start(sets, manifest())

    told = way(sets, manifest("2Gi"))

    assert {"data": "1Gi"} == template_sizes(sets.get("db"))
    assert WISH == own(sets)
    assert f"Warning: {TAKEN.format(namespace=sets.namespace)}" in told


@pytest.mark.parametrize("way", MANIFESTS)
def test_the_same_manifest_again_changes_nothing(sets: Sets, way: Way) -> None:
    """A second apply leaves the very version that is stored: no endless difference."""
    way(sets, manifest()) if way is not replace else client_apply(sets, manifest())
    way(sets, manifest("2Gi"))
    sets.wait(lambda: is_observed(sets), "the controller has written its status")
    before = sets.get("db")

    told = way(sets, manifest("2Gi"))

    after = sets.get("db")
    assert before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"], told
    assert "conflict" not in told.lower()


@pytest.mark.parametrize("way", MANIFESTS)
def test_the_old_size_again_withdraws_the_wish(sets: Sets, way: Way) -> None:
    """A commit that is reverted before the resizer has begun leaves nothing behind."""
    way(sets, manifest()) if way is not replace else client_apply(sets, manifest())
    way(sets, manifest("2Gi"))
    asked = own(sets)

    told = way(sets, manifest("1Gi"))

    assert WISH == asked
    assert {} == own(sets)
    assert "Warning: data: the wish for 2Gi is withdrawn; the size stays 1Gi" in told


@pytest.mark.parametrize("way", MANIFESTS)
def test_the_old_size_again_is_told_of_what_is_under_way(sets: Sets, way: Way) -> None:
    """Once the resizer works, an older manifest changes only what was declared."""
    way(sets, manifest()) if way is not replace else client_apply(sets, manifest())
    way(sets, manifest("2Gi"))
    sets.annotate("db", status="Growing: data=2Gi")

    told = way(sets, manifest("1Gi"))

    assert {"resize-0": "2Gi", "declared-0": "1Gi", "status": "Growing: data=2Gi"} == own(sets)
    assert "Warning: data: growing from 1Gi to 2Gi is under way and goes on" in told


@pytest.mark.parametrize("way", WAYS)
def test_a_smaller_size_is_denied(sets: Sets, way: Way) -> None:
    """Below the declared size the request is refused, with 400 and in plain words."""
    start = server_apply if way is server_apply else client_apply
    start(sets, manifest("2Gi"))

    told = way(sets, manifest("1Gi"))

    assert "denied the request: data: 1Gi is less than 2Gi, and volumes never shrink; " in told
    assert "immutable" not in told
    assert {"data": "2Gi"} == template_sizes(sets.get("db"))


def test_a_denial_is_a_bad_request(sets: Sets) -> None:
    """Code 400: GitOps tools answer 409 and 422 by deleting the set."""
    sets.cluster.apply(statefulset(replicas=0, sizes={"data": "2Gi"}), sets.namespace)

    with pytest.raises(ApiRefusal, match="volumes never shrink") as refusal:
        sets.cluster.apply(statefulset(replicas=0), sets.namespace)

    assert 400 == refusal.value.code


def test_a_smaller_size_is_kept_where_the_set_says_so(sets: Sets) -> None:
    """With `on-smaller: keep` the manifest is taken, and the size stays."""
    client_apply(sets, manifest("2Gi", on_smaller="keep"))

    told = client_apply(sets, manifest("1Gi", on_smaller="keep"))

    assert "Warning: data: the size stays 2Gi, volumes never shrink" in told
    assert {"data": "2Gi"} == template_sizes(sets.get("db"))
    assert "1Gi" == own(sets)["declared-0"]


@pytest.mark.parametrize("way", MANIFESTS)
def test_git_far_behind_an_autoscaled_set_denies_nothing(sets: Sets, way: Way) -> None:
    """A set that has grown since passes every deployment of its old manifest."""
    start = server_apply if way is server_apply else client_apply
    start(sets, manifest("8Gi"))
    sets.annotate("db", declared_0="1Gi", status="Done: data=8Gi")

    told = way(sets, manifest("1Gi"))

    assert "Warning: data: the size stays 8Gi, volumes never shrink; it has grown beyond" in told
    assert {"data": "8Gi"} == template_sizes(sets.get("db"))
    assert {"declared-0": "1Gi", "status": "Done: data=8Gi"} == own(sets)


def test_another_spelling_is_no_wish(sets: Sets) -> None:
    """1024Mi is 1Gi."""
    client_apply(sets, manifest())

    told = client_apply(sets, manifest("1024Mi"))

    assert "Warning" not in told
    assert {} == own(sets)


@pytest.mark.parametrize(
    ("size", "annotations", "words"),
    [
        ("3000Gi", {"confirm": "3000Gi"}, "above the bound of 2000Gi"),
        ("4Gi", {"max_size": "3Gi"}, "above the bound of 3Gi"),
        ("11Gi", {}, "more than 10 times 1Gi; volumes never shrink, so confirm it"),
    ],
)
def test_a_size_out_of_bounds_is_denied(
    sets: Sets, size: str, annotations: dict[str, str], words: str
) -> None:
    """The sentence names the wish, the bound and what to do."""
    client_apply(sets, manifest(**annotations))

    told = client_apply(sets, manifest(size, **annotations))

    assert f"resize-0 asks for {size}, " in told
    assert words in told
    assert {"data": "1Gi"} == template_sizes(sets.get("db"))


def test_an_image_and_a_size_arrive_together(sets: Sets) -> None:
    """One apply with both: the new image is stored, the size becomes a wish."""
    client_apply(sets, manifest())
    changed = json.loads(manifest("2Gi"))
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "localhost/new:2"

    client_apply(sets, json.dumps(changed))

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


@pytest.mark.parametrize("change", [renamed, added, removed, another_service])
def test_what_kubernetes_refuses_it_refuses_in_its_own_words(
    sets: Sets, change: Callable[[Json], None]
) -> None:
    """A bigger size beside a forbidden change: the message is the API server's, unchanged."""
    client_apply(sets, manifest())
    body = json.loads(manifest("2Gi"))
    change(body)

    told = client_apply(sets, json.dumps(body))

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


def test_two_templates_are_two_wishes(sets: Sets) -> None:
    """Both bigger sizes of one apply are noted."""
    client_apply(sets, json.dumps(statefulset(replicas=0, sizes={"data": "1Gi", "log": "1Gi"})))
    bigger = statefulset(replicas=0, sizes={"data": "2Gi", "log": "3Gi"})

    client_apply(sets, json.dumps(bigger))

    assert ("2Gi", "3Gi", "Waiting: data=2Gi, log=3Gi") == (
        own(sets)["resize-0"],
        own(sets)["resize-1"],
        own(sets)["status"],
    )


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("resize-0", "much", "resize-0: 'much' cannot be used"),
        ("resize-7", "2Gi", "resize-7 names no claim template: the set has 0=data"),
        ("resize.log", "2Gi", "resize.log names no claim template"),
        ("auto-resize-0", "-1", "auto-resize-0: '-1' cannot be used: it has a sign"),
        ("declared-0", "x", "declared-0: 'x' cannot be used"),
        ("max-size", "x", "max-size: 'x' cannot be used"),
        ("confirm", "x", "confirm: 'x' cannot be used"),
        ("paused", "1", "paused is '1'; write true or false"),
        ("recreate", "1", "recreate is '1'; write true or false"),
        ("auto-scaled", "1", "auto-scaled is '1'; write true or false"),
        ("on-smaller", "1", "on-smaller is '1'; write deny or keep"),
        ("when-deleted", "1", "when-deleted is '1'; write Delete or Retain"),
        ("resize-0", "3000Gi", "resize-0 asks for 3000Gi, above the bound of 2000Gi"),
    ],
)
def test_a_bad_annotation_is_denied(sets: Sets, key: str, value: str, words: str) -> None:
    """`kubectl annotate` says what is wrong with which key, and nothing is stored."""
    client_apply(sets, manifest())

    told = _run(sets, "annotate", "sts", "db", f"{PREFIX}{key}={value}")

    assert words in told
    assert {} == own(sets)


def test_a_good_annotation_is_stored_and_an_unknown_one_warned_of(sets: Sets) -> None:
    """A wish by annotation waits; a key of another version is stored all the same."""
    client_apply(sets, manifest())

    told = _run(sets, "annotate", "sts", "db", f"{PREFIX}resize.data=2Gi", f"{PREFIX}novel=1")

    assert f"Warning: the annotation {PREFIX}novel is unknown to this version" in told
    expected = {"resize.data": "2Gi", "novel": "1", "status": "Waiting: data=2Gi"}
    assert expected == own(sets)


@pytest.mark.parametrize(
    ("size", "wish", "stored", "declared"),
    [
        pytest.param("1Gi", "2Gi", "2Gi", "1Gi", id="a wish above the template"),
        pytest.param("2Gi", "1Gi", "2Gi", None, id="a satisfied wish"),
        pytest.param("3000Gi", "2Gi", "3000Gi", None, id="a template over the bound"),
    ],
)
def test_a_created_set_has_the_size_that_it_wishes(
    sets: Sets, size: str, wish: str, stored: str, declared: str | None
) -> None:
    """A new set needs no resize: its template is true at once."""
    client_apply(sets, manifest(size, resize_0=wish))

    assert {"data": stored} == template_sizes(sets.get("db"))
    assert declared == own(sets).get("declared-0")


def test_a_set_with_a_wish_over_the_bound_is_not_created(sets: Sets) -> None:
    """The create is refused, with the sentence of the status."""
    told = client_apply(sets, manifest(resize_0="3000Gi"))

    assert "resize-0 asks for 3000Gi, above the bound of 2000Gi" in told
    assert sets.find("db") is None


def test_a_dry_run_shows_the_wish_and_does_nothing(sets: Sets) -> None:
    """`--dry-run=server` prints what would be stored."""
    client_apply(sets, manifest())

    shown = _run(sets, "apply", "--dry-run=server", "-o", "json", "-f", "-", stdin=manifest("2Gi"))

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

    _run(sets, "scale", "sts", "db", "--replicas=1")
    _run(sets, "label", "sts", "db", "team=blue")
    _run(sets, "set", "image", "sts", "db", "main=localhost/new:2")
    _run(sets, "patch", "sts", "db", "--subresource=status", "--type=merge", "-p", "{}")
    _run(sets, "delete", "sts", "db", "--cascade=orphan")

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
    _run(sets, "annotate", "sts", "db", f"{PREFIX}recreate=false")

    # The API server may ask again about the same request, when the set changed meanwhile.
    assert all(after > each for after, each in zip(counts(), before, strict=True))
    assert reviewer.metric("rso_certificate_expiry_timestamp_seconds") > 1.7e9
    assert reviewer.metric("rso_review_seconds_count") >= 2
