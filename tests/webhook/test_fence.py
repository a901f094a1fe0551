"""The fence: who changes a size or a wish must have the right to grow the claims (T1)."""

import json

import pytest

from testbed.cluster import Cluster, ServiceAccount
from tests.support.reviewers import Reviewer, kubectl, serving, settings_of
from tests.support.sets import PREFIX, Json, Sets, statefulset

EDIT = {"apiGroups": ["apps"], "resources": ["statefulsets"], "verbs": ["get", "patch", "update"]}
CLAIMS = {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["patch"]}
BIGGER = [
    {
        "op": "replace",
        "path": "/spec/volumeClaimTemplates/0/spec/resources/requests/storage",
        "value": "2Gi",
    }
]
REFUSED = "may be changed only by who may patch persistentvolumeclaims in this namespace"


def patch(sets: Sets, account: ServiceAccount, kind: str, body: object) -> str:
    """Patch `db` as somebody; return what kubectl says."""
    arguments = ("-n", sets.namespace, "patch", "sts", "db", f"--type={kind}")
    ran = kubectl(sets.cluster, *arguments, "-p", json.dumps(body), kubeconfig=account.kubeconfig)
    return ran.stdout + ran.stderr


def wait_fenced(sets: Sets, account: ServiceAccount) -> None:
    """Return when the fence holds for somebody: policies begin to hold after a moment."""
    probe = ("patch", "sts", "db", "--type=merge", "--dry-run=server", "-p")
    wish = json.dumps(annotating(resize_0="3Gi"))

    def is_refused() -> bool:
        words = ("-n", sets.namespace, *probe, wish)
        return REFUSED in kubectl(sets.cluster, *words, kubeconfig=account.kubeconfig).stderr

    sets.wait(is_refused, "the fence holds")


def annotating(**wishes: str) -> Json:
    own = {PREFIX + key.replace("_", "-"): text for key, text in wishes.items()}
    return {"metadata": {"annotations": own}}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        pytest.param("json", BIGGER, id="a size"),
        pytest.param("merge", annotating(resize_0="2Gi"), id="a wish"),
        pytest.param("merge", annotating(auto_resize_0="2Gi"), id="an automatic wish"),
    ],
)
def test_who_may_not_patch_claims_may_not_wish(
    cluster: Cluster, reviewer: Reviewer, sets: Sets, kind: str, body: object
) -> None:
    """Refused with the missing right; with it, the same request passes; all else always does."""
    assert reviewer.settings.fence
    sets.cluster.apply(statefulset(replicas=0), sets.namespace)
    editor = cluster.service_account(sets.namespace, [EDIT])
    owner = cluster.service_account(sets.namespace, [EDIT, CLAIMS])

    wait_fenced(sets, editor)
    refused = patch(sets, editor, kind, body)
    image = patch(sets, editor, "merge", {"metadata": {"labels": {"team": "blue"}}})
    allowed = patch(sets, owner, kind, body)

    assert REFUSED in refused
    assert "patched" in image
    assert "patched" in allowed


def test_the_autoscaler_may_write_its_own_wish_only(
    cluster: Cluster, namespace: str, operator_namespace: str
) -> None:
    """Without a right on claims its wish and its steps pass, other keys and sizes do not."""
    account = cluster.service_account(namespace, [EDIT])
    sets = Sets(cluster, namespace)
    settings = settings_of(cluster, namespace, operator_namespace, autoscaler_user=account.username)
    sets.cluster.apply(statefulset(replicas=0), namespace)

    with serving(cluster, settings):
        wait_fenced(sets, account)
        own = patch(sets, account, "merge", annotating(auto_resize_0="2Gi", auto_steps_0=""))
        wish = patch(sets, account, "merge", annotating(resize_0="2Gi"))
        both = patch(sets, account, "merge", annotating(auto_resize_0="3Gi", paused="true"))

    assert "patched" in own
    assert REFUSED in wish
    assert REFUSED in both


def test_the_fence_is_one_switch(cluster: Cluster, namespace: str, operator_namespace: str) -> None:
    """With `--no-fence` whoever may change a set may change its size."""
    account = cluster.service_account(namespace, [EDIT])
    sets = Sets(cluster, namespace)
    sets.cluster.apply(statefulset(replicas=0), namespace)

    with serving(cluster, settings_of(cluster, namespace, operator_namespace, fence=False)):
        allowed = patch(sets, account, "json", BIGGER)

    assert "patched" in allowed
