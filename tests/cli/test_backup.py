"""`rso backup`: what there is, and what one holds."""

import json
from pathlib import Path

import pytest

from rso.core.names import Phase
from tests.cli.absent import make_backup
from tests.cli.running import Rso
from tests.support.sets import Sets


def test_a_backup_is_printed_as_it_would_be_created(sets: Sets, rso: Rso, key_dir: Path) -> None:
    """`show` finds a backup by its set or its own name, and prints the whole set."""
    name = make_backup(sets, rso, key_dir, Phase.DELETING)
    expected = """\
# the StatefulSet that backup srb-1 holds
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: db
  namespace: app
spec:
  replicas: 0
"""

    shown = [rso(f"backup show {each} --key-dir {key_dir}") for each in ("db", name)]

    assert [expected] * 2 == [each.out for each in shown]


def test_backups_are_data_too(sets: Sets, rso: Rso, key_dir: Path) -> None:
    """JSON names set, uids and phase of each backup, without any key."""
    make_backup(sets, rso, key_dir, Phase.SUPERSEDED)

    (found,) = json.loads(rso("backup list -o json").out)["backups"]

    assert found.pop("created")
    assert {
        "namespace": "app",
        "name": "db",
        "backup": "srb-1",
        "phase": "superseded",
        "statefulsetUid": "uid-1",
        "successorUid": "",
        "fault": "",
    } == found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param("backup show db", "there is no backup of StatefulSet app/db", id="of a set"),
        pytest.param("backup show srb-0", "there is no backup srb-0 in rso-system", id="by name"),
    ],
)
def test_a_missing_backup_is_named(rso: Rso, key_dir: Path, words: str, said: str) -> None:
    """A backup that is not there ends with 1 and a sentence."""
    ran = rso(f"{words} --key-dir {key_dir}")

    assert 1 == ran.code
    assert said in ran.err
