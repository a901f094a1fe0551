"""Sets that could not be created again: their claims grow, and the set is never deleted."""

import base64
import os
from pathlib import Path

import pytest

from rso.kube.transport import Request
from tests.cluster.conftest import Interfere
from tests.cluster.looks import backups, metric, writes
from tests.cluster.refusals import NAME, Refused, check_refused
from tests.support.fixtures import Run
from tests.support.operators import Operator, make_keys
from tests.support.sets import Json, Sets, Snapshot, check_unharmed, statefulset, template_sizes

GROWN = "the claims have grown, but"
HINT = "or set the annotation recreate to false"


def count_quota(sets: Sets, hard: str) -> None:
    manifest: Json = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "sets"},
        "spec": {"hard": {"count/statefulsets.apps": hard}},
    }
    sets.cluster.apply(manifest, sets.namespace)

    def counts() -> bool:
        found = sets.cluster.get("resourcequota", "sets", sets.namespace) or {}
        return bool(found.get("status", {}).get("used", {}) and found["status"]["hard"])

    sets.wait(counts, "the quota counts")


def metadata(sets: Sets, **changes: object) -> None:
    sets.cluster.merge("statefulset", "db", sets.namespace, {"metadata": changes})


def own(sets: Sets) -> None:
    """Give the set a controller: a ConfigMap is an owner like any other."""
    manifest: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "parent"}}
    owner = sets.cluster.apply(manifest, sets.namespace)
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "parent", "controller": True}
    metadata(sets, ownerReferences=[reference | {"uid": owner["metadata"]["uid"]}])


def forge_revision(sets: Sets) -> None:
    """Make a newer revision with another image; the StatefulSet controller soon outdoes it."""
    every = sets.cluster.list("controllerrevision", sets.namespace)
    newest = max(every, key=lambda each: int(each["revision"]))
    newest["data"]["spec"]["template"]["spec"]["containers"][0]["image"] = "localhost/evil:1"
    kept = {key: newest["metadata"][key] for key in ("labels", "ownerReferences")}
    forged = {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": f"db-forged-{len(every)}", **kept},
        "data": newest["data"],
        "revision": newest["revision"] + 1,
    }
    sets.cluster.apply(forged, sets.namespace)


ROWS = [
    pytest.param(
        Refused(
            f"Blocked: QuotaFull: {GROWN} the quota for StatefulSets of this namespace is full, so "
            "the set could not be created again; raise count/statefulsets.apps by one",
            forbid=lambda sets: count_quota(sets, "1"),
            cure=lambda sets: count_quota(sets, "2"),
            grown=2,
        ),
        id="10 quota of sets full",
    ),
    pytest.param(
        Refused(
            f"Blocked: ForeignFinalizer: {GROWN} the finalizer example.com/hold would hold the set "
            f"in deletion; remove it, {HINT}",
            forbid=lambda sets: metadata(sets, finalizers=["example.com/hold"]),
            cure=lambda sets: metadata(sets, finalizers=None),
            grown=2,
        ),
        id="26 foreign finalizer",
    ),
    pytest.param(
        Refused(
            "Blocked: OwnedByController: ConfigMap parent manages this set and would undo a "
            "recreate; set the size there, or set the annotation recreate to false to grow only "
            "the claims",
            forbid=own,
            cure=lambda sets: metadata(sets, ownerReferences=None),
        ),
        id="31 controller owner",
    ),
]


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.changes("spec")  # by the cure
def test_a_set_that_could_not_come_back_is_not_deleted(sets: Sets, run: Run, row: Refused) -> None:
    """What forbids the recreate is told before any delete, and the resize ends once it is gone."""
    check_refused(sets, run, row)


def test_31_a_set_with_a_controller_that_is_not_recreated_grows_its_claims(
    sets: Sets, run: Run
) -> None:
    """With `recreate: "false"` a controller's set grows its claims and is done."""
    sets.make(statefulset(replicas=2), settled=False)
    own(sets)

    with run() as operator:
        sets.annotate("db", recreate="false", resize_0="2Gi")
        sets.wait_status("db", "Done: data=2Gi")

    assert writes(operator) == ["patch persistentvolumeclaims"] * 2
    assert template_sizes(sets.get("db")) == {"data": "1Gi"}


@pytest.mark.parametrize("content", [None, "no key at all"], ids=["missing", "wrong"])
def test_without_a_key_no_set_is_deleted(
    sets: Sets, run: Run, tmp_path: Path, content: str | None
) -> None:
    """Without a readable key claims grow, the set stays, and the key ends the refusal."""
    keys = tmp_path / "unusable"
    keys.mkdir()
    if content is not None:
        (keys / "primary").write_text(content)

    def make_usable(_: Sets) -> None:
        (keys / "primary").unlink(missing_ok=True)
        make_keys(keys)

    row = Refused(
        f"Blocked: NoKey: {GROWN} the operator has no readable key for the backup, and without a "
        "backup no set is deleted; run rso keygen, the operator then finds the key",
        cure=make_usable,
        grown=2,
    )

    check_refused(sets, lambda: run(key_dir=keys), row)


@pytest.mark.changes("looks")  # the controller may outdo the forgery before the look reads it
def test_a_forged_revision_keeps_the_set_in_place(sets: Sets, interfere: Interfere) -> None:
    """A set whose newest ControllerRevision is not its template is not recreated (T3)."""
    sets.make(statefulset(replicas=1))
    before = Snapshot.of(sets, "db")
    expected = (
        f"Blocked: CannotProve: {GROWN} the newest ControllerRevision does not hold the Pod "
        "template, so a recreate might restart Pods; set the annotation recreate to false, or "
        "recreate the set by hand"
    )

    def forge(request: Request) -> None:
        if request.resource.plural == "controllerrevisions":
            forge_revision(sets)

    with interfere(before=forge) as operator:
        sets.annotate("db", resize_0="2Gi")
        status = sets.wait_status("db", "Blocked")

    assert writes(operator) == ["patch persistentvolumeclaims"]
    assert expected == status
    check_unharmed(before, Snapshot.of(sets, "db"))


@pytest.mark.parametrize(
    ("noise_bytes", "fits"),
    [pytest.param(860_000, True, id="fits"), pytest.param(950_000, False, id="too large")],
)
@pytest.mark.changes("looks")  # the status names the bytes
def test_37_a_set_too_large_for_a_backup_is_not_deleted(
    sets: Sets, run: Run, operator_namespace: str, noise_bytes: int, *, fits: bool
) -> None:
    """A set whose backup would not fit grows its claims only; one that just fits is recreated."""
    manifest = statefulset(replicas=1)
    noise = base64.b64encode(os.urandom(noise_bytes)).decode()
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "NOISE", "value": noise}]
    manifest["metadata"]["annotations"] = {"example.com/full": "x" * 250_000}
    sets.make(manifest, settled=False)

    with run() as operator:
        sets.annotate("db", resize_0="2Gi")
        status = sets.wait_status("db", "Done" if fits else "Blocked")
        written = writes(operator)
        if not fits:
            check_too_large(sets, operator, status)

    assert sets.requests() == {"data-db-0": "2Gi"}
    assert [] == backups(sets, operator_namespace)
    assert fits == ("delete statefulsets" in written)


def check_too_large(sets: Sets, operator: Operator, status: str) -> None:
    """Check what is said of a set too large for its backup, and that a smaller step ends it."""
    head, reason, sentence = status.split(": ", 2)
    assert ("Blocked", "TooLarge") == (head, reason)
    size = sentence.removeprefix(f"{GROWN} the backup of the set would have ").split()[0]
    assert sentence == (
        f"{GROWN} the backup of the set would have {size} bytes, and 921600 fit; make the set "
        "smaller, or set the annotation recreate to false"
    )
    assert int(size) > 921_600
    assert sentence == sets.wait_event("db", reason)
    sets.wait(lambda: metric(operator, NAME, reason=reason) == 1, "it is counted")
    assert writes(operator) == ["patch persistentvolumeclaims"]
    sets.annotate("db", recreate="false")
    sets.wait_status("db", "Done: data=2Gi")
    sets.wait(lambda: metric(operator, NAME) == 0, "it is not counted any more")
