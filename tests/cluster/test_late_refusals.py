"""What a dry run allowed is refused in earnest: told, tried ever more rarely, and cured."""

from pathlib import Path

from rso.kube.transport import Request
from tests.cluster.conftest import Interfere
from tests.cluster.looks import backups, metric
from tests.support.fixtures import Run
from tests.support.sets import Json, Sets, statefulset, template_sizes
from tests.support.webhooks import webhook
from tests.support.wire import deletes_set


def quota(size: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "storage"},
        "spec": {"hard": {"requests.storage": size}},
    }


def test_68_the_third_claim_is_refused_by_a_quota_lowered_just_before(
    sets: Sets, interfere: Interfere
) -> None:
    """Two claims grow, the third is refused: told as QuotaFull, nothing deleted, cured by room."""
    sets.make(statefulset(replicas=3))
    lowered: list[Request] = []

    def lower(request: Request) -> None:
        if request.changes and request.name == "data-db-2" and not lowered:
            lowered.append(request)
            sets.cluster.apply(quota("5Gi"), sets.namespace)
            sets.wait(is_counted, "the quota is counted")

    def is_counted() -> bool:
        found = sets.cluster.get("resourcequota", "storage", sets.namespace)
        return bool(found and found.get("status", {}).get("used", {}).get("requests.storage"))

    with interfere(before=lower) as operator:
        sets.annotate("db", resize_0="2Gi")
        status = sets.wait_status("db", "Blocked: QuotaFull")
        requests = sets.requests()
        deletes = [sent for sent in operator.wire.sent if deletes_set(sent.request)]
        sets.cluster.apply(quota("20Gi"), sets.namespace)
        sets.wait_status("db", "Done: data=2Gi")

    assert "claim data-db-2 cannot grow to 2Gi within the namespace's quota" in status
    assert {"data-db-0": "2Gi", "data-db-1": "2Gi", "data-db-2": "1Gi"} == requests
    assert [] == deletes
    assert {"data": "2Gi"} == template_sizes(sets.get("db"))


def test_a_delete_refused_in_earnest_only_is_told_and_tried_again(
    sets: Sets, run: Run, operator_namespace: str, tmp_path: Path
) -> None:
    """A webhook that lets dry runs pass and forbids the delete is named; without it all goes on."""
    sets.make(statefulset(replicas=1))
    uid = sets.get("db")["metadata"]["uid"]
    reviewed: list[bool] = []

    def forbid(request: Json) -> Json:
        reviewed.append(request["dryRun"])
        return {"allowed": request["dryRun"], "status": {"code": 403, "message": "protected"}}

    with run() as operator:
        with webhook(sets.cluster, sets.namespace, tmp_path, forbid, operation="DELETE") as name:
            sets.wait(lambda: is_asked(sets, reviewed), "the API server asks the webhook")
            sets.annotate("db", resize_0="2Gi")
            status = sets.wait_status("db", "Blocked: AdmissionRefuses")
            sets.wait(lambda: not backups(sets, operator_namespace), "the backup is dropped")
            lives = sets.get("db")["metadata"]["uid"] == uid
            sent = [each for each in operator.wire.sent if deletes_set(each.request)]
        sets.wait_status("db", "Done: data=2Gi")
        done = metric(operator, "rso_recreates_total", result="done")

    assert f"is refused with 403 by the webhook {name}" in status
    assert lives
    assert len(sent) <= 2
    assert 1 == done
    assert {"data": "2Gi"} == template_sizes(sets.get("db"))


def is_asked(sets: Sets, reviewed: list[bool]) -> bool:
    """Ask, dry, whether the set may go, and return whether the webhook has heard of it."""
    path = sets.cluster.api.resource("statefulset").path(sets.namespace, "db")
    options = {"dryRun": ["All"], "propagationPolicy": "Orphan"}
    sets.cluster.api.request("DELETE", path, options)
    return bool(reviewed)
