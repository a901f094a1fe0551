"""The demo tells the truth about what was seen."""

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console, RenderableType

from testbed.api import Object
from testbed.demo import scene as demo
from testbed.demo.lines import parse
from testbed.demo.scene import DONE, NEW_POD, NEW_SIZE, OLD_SIZE, PODS, PREFIX, Scene
from testbed.demo.screen import facts, pods_table
from testbed.demo.steps import Steps
from testbed.demo.summary import checks, times
from testbed.writer import Journal, Record

MIB = 2**20
BEGAN = 1000.0


def statefulset(uid: str, size: str, status: str = "") -> Object:
    """Return the set as the API server tells it."""
    made = demo.statefulset()
    made["metadata"] |= {"uid": uid, "annotations": {f"{PREFIX}status": status}}
    requests = made["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]
    requests["storage"] = size
    return made


def pod(name: str, uid: str = "same", restarts: int = 0) -> Object:
    """Return a Pod."""
    statuses = [{"restartCount": restarts}]
    return {
        "metadata": {"name": name, "uid": uid},
        "status": {"containerStatuses": statuses},
    }


def claim(name: str, size: str, capacity: str) -> Object:
    """Return a Pod's claim."""
    return {
        "metadata": {"name": f"data-{name}"},
        "spec": {"resources": {"requests": {"storage": size}}},
        "status": {"capacity": {"storage": capacity}},
    }


def record(number: int, mebibytes: int) -> Record:
    """Return a record that was written so many seconds after the begin."""
    return Record(number, BEGAN + number, mebibytes * MIB, "hash")


def good_scene() -> Scene:
    """Return a scene in which all goes well: the wish at 10 s, the set away for 40 ms at 12 s."""
    scene = Scene()
    scene.see_statefulset(BEGAN, "ADDED", statefulset("old", OLD_SIZE))
    for name in PODS:
        scene.see_pod(BEGAN, "ADDED", pod(name))
        scene.see_claim(BEGAN, "ADDED", claim(name, OLD_SIZE, OLD_SIZE))
        scene.see_record(name, record(1, 236))
    scene.wished_at = BEGAN + 10
    for name in PODS:
        scene.see_claim(BEGAN + 11, "MODIFIED", claim(name, NEW_SIZE, NEW_SIZE))
    scene.see_statefulset(BEGAN + 12, "DELETED", statefulset("old", OLD_SIZE))
    scene.see_statefulset(BEGAN + 12.04, "ADDED", statefulset("new", NEW_SIZE, DONE))
    scene.see_pod(BEGAN + 20, "ADDED", pod(NEW_POD))
    scene.see_claim(BEGAN + 20, "ADDED", claim(NEW_POD, NEW_SIZE, NEW_SIZE))
    scene.see_record(NEW_POD, record(20, 960))
    return scene


def good_journals() -> dict[str, Journal]:
    """Return journals without a fault; the file systems had grown at 13 s."""
    records = (record(1, 236), record(12, 236), record(13, 960))
    return dict.fromkeys((*PODS, NEW_POD), Journal(records, (), ()))


def broken(scene: Scene, journals: dict[str, Journal]) -> list[str]:
    """Return the promises that did not hold."""
    return [check.promise for check in checks(scene, journals) if not check.holds]


def test_a_demo_that_goes_well() -> None:
    """Every promise holds, and the times are counted from the wish."""
    scene = good_scene()

    assert [] == broken(scene, good_journals())
    assert {"claims patched": 1.0, "set replaced": 2.04, "file systems grown": 3.0} == {
        stage: round(seconds or 0, 3) for stage, seconds in times(scene, good_journals()).items()
    }


def restarted(scene: Scene) -> None:
    scene.see_pod(BEGAN, "MODIFIED", pod("db-1", restarts=1))


def replaced(scene: Scene) -> None:
    scene.see_pod(BEGAN, "DELETED", pod("db-1"))
    scene.see_pod(BEGAN, "ADDED", pod("db-1", uid="other"))


def small_claim(scene: Scene) -> None:
    scene.see_claim(BEGAN, "MODIFIED", claim("db-2", NEW_SIZE, OLD_SIZE))


def old_template(scene: Scene) -> None:
    scene.see_statefulset(BEGAN, "MODIFIED", statefulset("new", OLD_SIZE, DONE))


def not_done(scene: Scene) -> None:
    scene.see_statefulset(BEGAN, "MODIFIED", statefulset("new", NEW_SIZE, "Growing: data=1Gi"))


def replaced_twice(scene: Scene) -> None:
    scene.see_statefulset(BEGAN + 14, "ADDED", statefulset("newer", NEW_SIZE, DONE))


def absent(scene: Scene) -> None:
    scene.see_statefulset(BEGAN, "DELETED", statefulset("new", NEW_SIZE, DONE))


def small_replica(scene: Scene) -> None:
    scene.see_claim(BEGAN, "MODIFIED", claim(NEW_POD, OLD_SIZE, OLD_SIZE))


@pytest.mark.parametrize(
    ("happens", "promise"),
    [
        pytest.param(restarted, "no Pod restarted", id="a container was started again"),
        pytest.param(replaced, "no Pod restarted", id="a Pod was replaced"),
        pytest.param(small_claim, "every claim grew", id="a claim did not grow"),
        pytest.param(old_template, "the set was replaced once", id="the template is the old one"),
        pytest.param(not_done, "the set was replaced once", id="the operator is not done"),
        pytest.param(replaced_twice, "the set was replaced once", id="the set was replaced twice"),
        pytest.param(absent, "the set was replaced once", id="the set is absent"),
        pytest.param(small_replica, "a new replica starts big", id="the new replica is small"),
    ],
)
def test_a_demo_in_which_something_goes_wrong(
    happens: Callable[[Scene], None], promise: str
) -> None:
    """What breaks one promise is told as that promise."""
    scene = good_scene()
    happens(scene)

    assert [promise] == broken(scene, good_journals())


@pytest.mark.parametrize(
    ("changes", "promise"),
    [
        pytest.param({"missing": ("a line",)}, "no record was lost", id="a record is missing"),
        pytest.param({"broken": (2,)}, "no record was lost", id="a record was changed"),
        pytest.param(
            {"records": (record(1, 236), record(12, 236))},
            "every file system grew",
            id="a file system did not grow",
        ),
    ],
)
def test_a_journal_that_tells_of_a_fault(changes: dict[str, tuple[str]], promise: str) -> None:
    """One journal of four is enough."""
    journals = good_journals()
    journals["db-1"] = replace(journals["db-1"], **changes)  # type: ignore[arg-type]  # any field

    assert [promise] == broken(good_scene(), journals)


def drawn(part: RenderableType) -> str:
    """Return what a terminal of 80 columns shows inside the frame of the picture."""
    console = Console(file=io.StringIO(), width=76, color_system=None)
    console.print(part)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_fits_a_small_terminal() -> None:
    """In 80 columns nothing of the table is cut, also with five digits of records."""
    scene = good_scene()
    for name in PODS:
        scene.see_pod(BEGAN, "MODIFIED", pod(name, uid="0123456789"))
        scene.see_record(name, record(12345, 960))
    table = drawn(pods_table(scene))

    assert "…" not in table
    for words in ("01234567", "1Gi   1Gi", "960 MiB", "12345", "restarts", "records"):
        assert words in table


def test_without_a_terminal_only_changes_are_told() -> None:
    """New records alone say nothing; a new size, uid, restart or status does."""
    scene, steps = good_scene(), Steps()
    before = facts(steps, scene)
    scene.see_record("db-0", record(99, 236))
    same = facts(steps, scene)
    scene.see_record("db-0", record(100, 960))

    assert before == same
    assert {"Pod db-0"} == {
        key for key, words in facts(steps, scene).items() if before[key] != words
    }


@pytest.mark.parametrize(
    ("line", "text"),
    [
        pytest.param(
            '{"time":"2026-01-01T00:00:00.500Z","message":"claim grows","uid":"x","old":"1Gi"}',
            "claim grows old=1Gi",
            id="a line of the operator",
        ),
        pytest.param("Traceback", "Traceback", id="a line of something else"),
    ],
)
def test_the_operators_log_in_words(line: str, text: str) -> None:
    """A person reads the message and what differs; other lines stay as they are."""
    assert text == parse(line).text
