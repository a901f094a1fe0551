"""Each step is told as the requests that it makes."""

import pytest

from rso.app.backup import backup_name
from rso.app.requests import Requests
from rso.core.actions import (
    AskLive,
    Decision,
    Done,
    DropBackup,
    EvictPod,
    GrowClaim,
    Recreate,
    Replace,
    RestoreManagers,
    RestorePolicy,
    SaveBackup,
    SetRetain,
    SetStatus,
    Supersede,
    Unreference,
)
from rso.core.names import Note
from tests import factories

NAME = backup_name("uid-cluster", "shop", "db", factories.UID)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        pytest.param(SetStatus("Blocked: NoKey: it has no key"), ["patch statefulsets db"]),
        pytest.param(GrowClaim("c", "1", "1Gi", "2Gi"), ["patch persistentvolumeclaims c"]),
        pytest.param(SetRetain("1"), ["patch statefulsets db"]),
        pytest.param(RestorePolicy("Delete", "1"), ["patch statefulsets db"]),
        pytest.param(EvictPod("db-2", "u"), ["create pods/eviction db-2"]),
        pytest.param(Unreference("c", "1", ("u",)), ["patch persistentvolumeclaims c"]),
        pytest.param(SaveBackup(factories.UID, {}), [f"create configmaps {NAME}"]),
        pytest.param(
            Replace("b-1", factories.UID),
            [
                f"patch configmaps {NAME}",
                "delete statefulsets db",
                "create statefulsets db",
                f"patch configmaps {NAME}",
                "patch statefulsets db",
            ],
        ),
        pytest.param(Recreate("b-1"), ["create statefulsets db"]),
        pytest.param(Supersede("srb-7", ""), ["patch configmaps srb-7"]),
        pytest.param(RestoreManagers("b-1", "u"), ["patch statefulsets db"]),
        pytest.param(DropBackup("b-1", Note.RECREATED, "so"), [f"delete configmaps {NAME}"]),
        pytest.param(AskLive(), []),
        pytest.param(Done(), []),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Decision) else "",
)
def test_each_step_is_told_as_its_requests(step: Decision, expected: list[str]) -> None:
    """A step has its changing requests in order, with the names that they will bear."""
    start = factories.world(backups=(factories.backup(),))
    requests = Requests("uid-cluster", "rso-system")

    told = requests.of(start, step)

    assert expected == [f"{each.verb} {each.resource} {each.name}" for each in told]


def test_a_status_is_told_without_its_sentence() -> None:
    """The sentence of a status is told once, at the end of a plan."""
    requests = Requests("", "rso-system")
    step = SetStatus("Blocked: NoKey: it has no key")

    (told,) = requests.of(factories.world(), step)

    assert "annotation status: Blocked: NoKey" == told.change
