"""What the autoscaler wishes: claims always, the template only where the operator is told so."""

import pytest

from rso.app.settings import TemplateFollows
from tests.cluster.looks import count, writes
from tests.support.fixtures import Run
from tests.support.sets import Sets, statefulset, template_sizes


def test_an_automatic_wish_grows_claims_only(sets: Sets, run: Run) -> None:
    """By default `auto-resize-{i}` grows claims, and the set is not recreated for it."""
    sets.make(statefulset(replicas=2), settled=False)

    with run() as operator:
        sets.annotate("db", auto_resize_0="2Gi")
        sets.wait_status("db", "Done: data=2Gi")

    assert {"data-db-0": "2Gi", "data-db-1": "2Gi"} == sets.requests()
    assert {"data": "1Gi"} == template_sizes(sets.get("db"))
    assert ["patch persistentvolumeclaims"] * 2 == writes(operator)


@pytest.mark.parametrize(
    ("follows", "expected"),
    [pytest.param("never", "2Gi", id="never"), pytest.param("always", "3Gi", id="always")],
)
def test_a_wish_beside_a_bigger_automatic_one(
    sets: Sets, run: Run, follows: TemplateFollows, expected: str
) -> None:
    """A person's wish moves the template; the automatic one too, where the template follows."""
    sets.make(statefulset(replicas=1))

    with run(template_follows=follows) as operator:
        sets.annotate("db", resize_0="2Gi", auto_resize_0="3Gi")
        sets.wait_status("db", "Done")

    assert {"data-db-0": "3Gi"} == sets.requests()
    assert {"data": expected} == template_sizes(sets.get("db"))
    assert 1 == count(operator, "create statefulsets")
