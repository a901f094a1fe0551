"""Sets of several shapes, and people who write at the same time."""

import json

import pytest

from rso.core.names import Hold
from tests.autoscaler.conftest import Scale
from tests.autoscaler.sets_of import make_all, own, scaled, wait_wishes, wish, wishes
from tests.autoscaler.test_reasons import count
from tests.support.autoscalers import GIB, Told
from tests.support.fixtures import Run
from tests.support.sets import PREFIX, Json, Sets, statefulset, template_sizes
from tests.webhook.ways import Way, client_apply, server_apply

pytestmark = pytest.mark.timeout(400)


def test_of_two_templates_only_the_full_one_grows(sets: Sets, told: Told, scale: Scale) -> None:
    """Each template has a wish and a reason of its own."""
    make_all(sets, [scaled(sizes={"data": "1Gi", "log": "1Gi"})])
    told.fullness = {"data-db-0": 0.2, "log-db-0": 0.9}

    with scale() as scaler:
        sets.wait(lambda: wish(sets, 1), "the log's wish")
        sets.wait(lambda: scaler.looks > 5, "it has looked on")

    assert ("", "2Gi") == (wish(sets), wish(sets, 1))


def test_a_label_is_enough_and_false_is_no(sets: Sets, told: Told, scale: Scale) -> None:
    """The label of the predecessor counts; the annotation overrules it; other sets are nothing."""
    labelled, refused, plain = (statefulset(each, replicas=1) for each in ("a", "b", "c"))
    for each in (labelled, refused):
        each["metadata"]["labels"] = {f"{PREFIX}auto-scaled": "yes"}
    refused["metadata"]["annotations"] = {f"{PREFIX}auto-scaled": "false"}
    make_all(sets, [labelled, refused, plain])
    told.fullness = {f"data-{each}-0": 0.9 for each in "abc"}

    with scale() as scaler:
        wait_wishes(sets, {"a": "2Gi"})
        last = scaler.looks
        sets.wait(lambda: scaler.looks > last + 3, "it has looked on")
        looked_at = scaler.metric("rso_autoscaled_statefulsets")

    assert {"a": "2Gi"} == wishes(sets)
    assert 1 == looked_at
    assert {"data-a-0"} == {each.claim for asked in told.asked for each in asked}


def test_a_set_that_comes_back_from_zero_is_looked_at_again(
    sets: Sets, told: Told, scale: Scale
) -> None:
    """Scaled to zero nobody is asked; with a Pod again the old claim counts."""
    make_all(sets, [scaled()])
    sets.cluster.merge("statefulset", "db", sets.namespace, {"spec": {"replicas": 0}})
    sets.wait(lambda: not sets.pods("db"), "its Pods are gone")
    told.fullness["data-db-0"] = 0.9

    with scale() as scaler:
        sets.wait(lambda: count(scaler, "templates", Hold.NO_PODS), "nothing to look at")
        asked = list(told.asked)
        sets.cluster.merge("statefulset", "db", sets.namespace, {"spec": {"replicas": 1}})
        wait_wishes(sets, {"db": "2Gi"})

    assert [] == asked


def test_a_left_over_claim_sets_the_least_size(sets: Sets, told: Told, scale: Scale) -> None:
    """A claim of a replica that is gone, grown by hand to 5Gi: the step is beyond it."""
    make_all(sets, [scaled(replicas=2)])
    sets.cluster.merge("statefulset", "db", sets.namespace, {"spec": {"replicas": 1}})
    sets.wait(lambda: len(sets.pods("db")) == 1, "one Pod is left")
    bigger = {"spec": {"resources": {"requests": {"storage": "5Gi"}}}}
    sets.cluster.merge("pvc", "data-db-1", sets.namespace, bigger)
    sets.wait(lambda: sets.claims()["data-db-1"]["status"]["capacity"]["storage"] == "5Gi", "grown")
    told.fullness["data-db-0"] = 0.9

    with scale():
        wait_wishes(sets, {"db": "8Gi"})


@pytest.mark.parametrize("way", [client_apply, server_apply], ids=["client", "server"])
def test_a_manifest_with_a_wish_of_its_own_does_not_disturb(
    sets: Sets, told: Told, scale: Scale, way: Way
) -> None:
    """Applied again and again as by Helm 4: no conflict, and both wishes stand."""
    manifest = scaled(policy={"resize-0": "1536Mi"})
    manifest["metadata"]["annotations"] |= {f"{PREFIX}paused": "true"}
    way(sets, json.dumps(manifest))
    sets.wait(lambda: sets.is_ready("db"), "the set is ready")
    told.fullness["data-db-0"] = 0.9
    sets.cluster.merge("pvc", "data-db-0", sets.namespace, asked("1536Mi"))
    sets.wait(lambda: sets.claims()["data-db-0"]["status"]["capacity"]["storage"] == "1536Mi", "ok")
    told.capacities["data-db-0"] = 1.5 * GIB
    del manifest["metadata"]["annotations"][f"{PREFIX}paused"]
    said: list[str] = []

    with scale():
        while not wish(sets) and len(said) < APPLIES:
            said.append(way(sets, json.dumps(manifest)))
    said.append(way(sets, json.dumps(manifest)))

    found = own(sets.get("db"))
    assert ("1536Mi", "2Gi") == (found["resize-0"], found["auto-resize-0"])
    assert [] == [each for each in said if "onflict" in each or "rror" in each]


APPLIES = 100


def asked(size: str) -> Json:
    """Return the patch of a claim's request."""
    return {"spec": {"resources": {"requests": {"storage": size}}}}


@pytest.mark.changes("spec")
def test_the_resizer_follows_and_the_template_where_it_may(
    sets: Sets, told: Told, scale: Scale, run: Run
) -> None:
    """A wish ends as Done in every claim and in the template; then the cooldown holds."""
    make_all(sets, [scaled(replicas=2)])
    told.fullness = {"data-db-0": 0.3, "data-db-1": 0.9}

    with run(template_follows="always"), scale() as scaler:
        sets.wait_status("db", "Done: data=2Gi")
        told.capacities |= dict.fromkeys(("data-db-0", "data-db-1"), 2 * GIB)
        sets.wait(lambda: count(scaler, "templates", Hold.COOLDOWN), "the cooldown")

    assert {"data": "2Gi"} == template_sizes(sets.get("db"))
    assert {"2Gi"} == set(sets.requests().values())


def test_a_wish_that_storage_refuses_is_lowered_until_it_fits(
    sets: Sets, told: Told, scale: Scale, run: Run
) -> None:
    """Of at most 10Gi 16Gi is refused: the wish comes down half-way until storage takes it."""
    policy = {"grow-by": "12Gi", "cooldown": "0"}
    make_all(sets, [scaled(sizes={"data": "4Gi"}, storage_class="max", policy=policy)])
    told.fullness["data-db-0"] = 0.9
    told.capacities["data-db-0"] = 4 * GIB

    with run(), scale():
        raised = sets.wait_event("db", "WishRaised")
        sets.wait_event("db", "WishLowered")
        sets.wait_status("db", "Done")

    assert raised.endswith("data grows from 4Gi to 16Gi")
    assert "10Gi" == wish(sets)
