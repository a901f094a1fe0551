"""`rso resize`: writes a wish, follows it, and says how it ended."""

import pytest

from tests.cli.conftest import Shop
from tests.cli.running import Rso
from tests.support.fixtures import Run
from tests.support.sets import PREFIX, Sets, statefulset, template_sizes


def test_a_resize_is_followed_to_its_end(sets: Sets, rso: Rso, run: Run) -> None:
    """The wish is written by name or index, each change is a line, and the end is 0."""
    sets.make(statefulset(replicas=2, sizes={"data": "1Gi", "wal": "1Gi"}))

    with run(leader_elect=True):
        ran = rso("resize db data=2Gi 1=3Gi --timeout 50s")
    lines = ran.out.splitlines()

    assert (0, "") == (ran.code, ran.err)
    assert "app/db wishes for data=2Gi, 1=3Gi" == lines[0]
    assert (
        "Done: data: 2 of 2 claims have 2Gi, template 2Gi; "
        "wal: 2 of 2 claims have 3Gi, template 3Gi" == lines[-2]
    )
    assert "app/db is done after N s" == lines[-1]
    assert {"data": "2Gi", "wal": "3Gi"} == template_sizes(sets.get("db"))


def test_a_resize_that_is_blocked_fails(sets: Sets, rso: Rso, run: Run) -> None:
    """A refusal ends the following with 1, its reason and its sentence."""
    sets.make(statefulset(replicas=1, storage_class="fixed"), settled=False)

    with run(leader_elect=True):
        ran = rso("resize db data=2Gi --timeout 30s")

    assert 1 == ran.code
    assert ran.err.startswith(
        "rso: app/db is blocked: NotExpandable: the storage class fixed of claim data-db-0"
    )


def test_without_an_operator_the_wish_waits(sets: Sets, rso: Rso) -> None:
    """The wish is written, it is said that nobody works, and the end is 4 after the time given."""
    sets.make(statefulset(replicas=1), settled=False)

    ran = rso("resize db data=2Gi --timeout 1s")

    assert 4 == ran.code
    assert (
        """\
app/db wishes for data=2Gi
Growing: data: 0 of 1 claims have 2Gi, template 1Gi
"""
        == ran.out
    )
    assert (
        """\
rso: no operator seems to run: nobody holds the Lease \
rso-system/resize-statefulset-operator-resizer; the wish waits until one does
rso: app/db is not finished after N s; an operator that runs goes on; look with: rso status db \
-n app
"""
        == ran.err
    )
    assert "2Gi" == sets.get("db")["metadata"]["annotations"][PREFIX + "resize-0"]


def test_a_wish_has_a_manager_of_its_own(sets: Sets, rso: Rso) -> None:
    """The annotation belongs to the field manager `rso`, not to the operator's."""
    sets.make(statefulset(replicas=1), settled=False)

    rso("resize db data=2Gi --timeout 0")

    managers = [each["manager"] for each in sets.get("db")["metadata"]["managedFields"]]
    assert "rso" in managers


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(
            "resize db data=512Mi",
            1,
            "rso: data of app/db has 1Gi already, and volumes never shrink; ask for more than 1Gi",
            id="a smaller size fails",
        ),
        pytest.param("resize db", 2, "Missing argument", id="no size"),
        pytest.param("resize db data=2Gi --timeout soon", 2, "write 90s, 10m", id="a bad time"),
        pytest.param("resize db x=2Gi", 2, "the set has 0=data, 1=wal", id="no such template"),
        pytest.param("resize db data=20Gi", 1, "StepTooBig: resize-0 asks for", id="too big"),
        pytest.param("resize nope data=2Gi", 1, "no StatefulSet app/nope", id="no such set"),
    ],
)
def test_a_wish_that_cannot_be_is_not_written(shop: Shop, words: str, code: int, said: str) -> None:
    """What cannot be is refused before anything is written, with a sentence."""
    ran = shop.rso(words)

    assert code == ran.code
    assert said in ran.err
    assert PREFIX + "resize-0" not in shop.sets.get("db")["metadata"].get("annotations", {})


def test_a_size_that_is_there_needs_nothing(shop: Shop) -> None:
    """A size that the set has already is no work, and no fault."""
    ran = shop.rso("resize db data=1Gi wal=1024Mi")

    expected = "app/db has these sizes already; there is nothing to do\n"
    assert (0, expected) == (ran.code, ran.out)
