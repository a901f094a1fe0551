"""`rso status`: one line for each set and template, the absent ones too."""

import json
import subprocess
from pathlib import Path

import pytest

from rso.core.names import Phase
from testbed.cluster import Cluster
from tests.cli.absent import make_backup
from tests.cli.conftest import Shop
from tests.cli.running import Rso
from tests.support.sets import Sets, statefulset

READ = {"apiGroups": ["", "apps"], "resources": ["*"], "verbs": ["get", "list"]}


def test_sets_that_ask_for_something_are_shown(shop: Shop) -> None:
    """By default only sets with an annotation of ours are shown, with what holds them."""
    ran = shop.rso("status")

    assert (
        """\
NAMESPACE  NAME  TEMPLATE  SIZE  WANTED  CLAIMS  CAPACITY  PHASE  REASON
app  web  data  1Gi  1Gi  1/1  1Gi  Blocked  Malformed

app/web Blocked: Malformed: resize-0: 'much' cannot be used: it is not a size; write a whole or \
decimal number and a unit, for example 10Gi, 1.5Ti or 500G (units: Ki Mi Gi Ti Pi Ei, k M G T P E)
"""
        == ran.out
    )
    assert (0, "") == (ran.code, ran.err)


def test_all_shows_sets_that_ask_for_nothing(shop: Shop) -> None:
    """`--all` shows every set, each claim template on its own line."""
    lines = shop.rso("status --all").out.splitlines()

    assert [
        "app  cache  data  1Gi  1Gi  1/1  1Gi  Unmanaged  -",
        "app  db  data  1Gi  1Gi  2/2  1Gi  Unmanaged  -",
        "app  db  wal  1Gi  1Gi  2/2  1Gi  Unmanaged  -",
    ] == lines[1:4]


def test_json_has_stable_keys(shop: Shop) -> None:
    """JSON is plain data: numbers are numbers, and nothing is left out."""
    ran = shop.rso("status cache -o json")

    assert {
        "sets": [
            {
                "namespace": "app",
                "name": "cache",
                "phase": "Unmanaged",
                "reason": "",
                "message": "",
                "templates": [
                    {
                        "index": 0,
                        "name": "data",
                        "size": "1Gi",
                        "wanted": "1Gi",
                        "claimsDone": 1,
                        "claimsTotal": 1,
                        "smallest": "1Gi",
                        "largest": "1Gi",
                    }
                ],
                "backups": [],
            }
        ],
        "notes": [],
    } == json.loads(ran.out)


def test_a_wish_that_waits_is_growing(sets: Sets, rso: Rso) -> None:
    """A wish that no operator has seen is Growing, with the size wanted and no claim done."""
    sets.make(statefulset(replicas=1), settled=False)
    sets.annotate("db", resize_0="3Gi")

    assert "app  db  data  1Gi  3Gi  0/1  1Gi  Growing  -" == rso("status").out.splitlines()[1]


def test_an_absent_set_is_shown(sets: Sets, rso: Rso, key_dir: Path) -> None:
    """A set that is away because of us has a line of its own, and how to bring it back."""
    make_backup(sets, rso, key_dir, Phase.DELETING)

    lines = rso("status").out.splitlines()

    assert "app  db  -  -  -  -  -  Absent  -" == lines[1]
    assert lines[3].startswith("app/db Absent: it was deleted to be created again")
    assert lines[3].endswith("rso resume db -n app --key-dir DIR")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(
            "status nope",
            1,
            "rso: there is no StatefulSet app/nope, and no backup says that it is away\n",
            id="an unknown set fails",
        ),
        pytest.param("status db -A", 2, "give either a NAME or --all-namespaces", id="both"),
        pytest.param("status -o xml", 2, "'xml' is not one of", id="an unknown format"),
    ],
)
def test_what_cannot_be_shown_says_why(shop: Shop, words: str, code: int, said: str) -> None:
    """A question without an answer ends with its code and a sentence."""
    ran = shop.rso(words)

    assert code == ran.code
    assert said in ran.err


def test_an_empty_namespace_says_so(rso: Rso) -> None:
    """Where nothing asks for anything, the answer is a sentence, not an empty table."""
    expected = "no StatefulSet in namespace app asks for anything; --all shows every one\n"

    assert expected == rso("status").out


def test_a_missing_right_is_named(cluster: Cluster, rso: Rso) -> None:
    """Without rights the end is 5, and verb and resource are named."""
    nobody = cluster.service_account(rso.namespace)

    ran = Rso(nobody.kubeconfig, rso.namespace, rso.operator_namespace)("status")

    assert 5 == ran.code
    assert ran.err.startswith("rso: forbidden: ")
    assert 'cannot list resource "' in ran.err


def test_unreadable_backups_are_a_gap(cluster: Cluster, rso: Rso) -> None:
    """Who may not see the operator's namespace sees the sets, and is told what stays unknown."""
    reader = cluster.service_account(rso.namespace, [READ])

    ran = Rso(reader.kubeconfig, rso.namespace, rso.operator_namespace)("status")

    assert 0 == ran.code
    assert ran.err.startswith("rso: backups and absent sets are unknown: ")


def test_a_server_that_is_away_is_named(cluster: Cluster, shop: Shop) -> None:
    """A server that nobody reaches ends with 3 at once; its address and the flags are named."""
    away = shop.sets.cluster.bed.path("kubeconfigs", "away")
    away.write_text(cluster.kubeconfig.read_text().replace(cluster.url, "https://127.0.0.1:1"))

    ran = Rso(away, "app", "rso-system")("status")

    assert 3 == ran.code
    assert ran.err.startswith("rso: the API server https://127.0.0.1:1 cannot be reached: ")
    assert "0x" not in ran.err
    assert "--kubeconfig, --context" in ran.err


def test_watch_tells_each_change(sets: Sets, rso: Rso) -> None:
    """`-w` prints the answer again when it has changed, until it is interrupted."""
    sets.make(statefulset(replicas=1), settled=False)
    sets.annotate("db", resize_0="2Gi")
    line = rso.line("status", "-w")
    with subprocess.Popen(line, env=rso.environment(), stdout=subprocess.PIPE, text=True) as seen:
        assert seen.stdout is not None
        first = [seen.stdout.readline() for _ in range(2)][1]
        sets.annotate("db", resize_0="3Gi")
        second = [seen.stdout.readline() for _ in range(2)][1]
        seen.send_signal(2)

    assert "1Gi  2Gi" in rso.masked(first)
    assert "1Gi  3Gi" in rso.masked(second)
    assert 0 == seen.returncode
