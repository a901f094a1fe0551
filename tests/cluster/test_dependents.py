"""What a set owns besides its Pods and claims: named before the delete, and never deleted."""

from tests.cli.running import Rso
from tests.support.fixtures import Run
from tests.support.sets import Json, Sets, statefulset


def test_32_what_a_set_owns_is_named_by_the_plan_and_outlives_the_recreate(
    sets: Sets, run: Run, operator_namespace: str
) -> None:
    """`rso plan` names the owned Service and ConfigMap; both stay, without an owner."""
    uid = sets.make(statefulset(replicas=0))["metadata"]["uid"]
    made = {kind: dependent(sets, kind, uid) for kind in ("Service", "ConfigMap")}

    planned = Rso(sets.cluster.kubeconfig, sets.namespace, operator_namespace)("plan db data=2Gi")
    with run():
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done: data=2Gi")

    found = {kind: sets.cluster.get(kind, "dependent", sets.namespace) or {} for kind in made}
    assert "configmaps/dependent, services/dependent" in planned.out
    assert uid != sets.get("db")["metadata"]["uid"]
    assert made == {kind: each["metadata"]["uid"] for kind, each in found.items()}
    assert not [each for each in found.values() if each["metadata"].get("ownerReferences")]


def dependent(sets: Sets, kind: str, uid: str) -> str:
    """Make an object that names the set as its owner, and return its uid."""
    reference = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": uid}
    spec: Json = {"spec": {"clusterIP": "None"}} if kind == "Service" else {}
    metadata = {"name": "dependent", "ownerReferences": [reference]}
    made = sets.cluster.apply(
        {"apiVersion": "v1", "kind": kind, "metadata": metadata, **spec}, sets.namespace
    )
    return str(made["metadata"]["uid"])
