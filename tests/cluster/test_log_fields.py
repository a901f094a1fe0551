"""Whose line it is: each line of a reconcile can be found by the set's names, uid and attempt."""

import json
import re
from pathlib import Path

import pytest

from tests.cluster.processes import resizer
from tests.support.sets import Sets, statefulset

# Lines about the process itself; all others are of a reconcile.
OF_THE_PROCESS = {"resizer starts", "leading", "resizer ends"}
FIELDS = {"namespace", "set", "uid", "attempt"}


def lines_of(log: str, log_format: str) -> dict[str, set[str]]:
    """Return {message: the fields of its lines that every one of them has}."""
    found: dict[str, set[str]] = {}
    for line in log.splitlines():
        if log_format == "json":
            fields = json.loads(line)
            message, names = fields["message"], set(fields)
        else:
            head, *pairs = re.split(r" (?=\w+=)", line)
            message, names = head.split(maxsplit=2)[2], {each.split("=")[0] for each in pairs}
        found[message] = found.get(message, names) & names
    return found


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_every_line_of_a_reconcile_names_the_set(
    sets: Sets, operator_namespace: str, key_dir: Path, tmp_path: Path, log_format: str
) -> None:
    """From the first patch to the end every line has namespace, set, uid and attempt."""
    sets.make(statefulset(replicas=2))
    flags = (
        f"--kubeconfig={sets.cluster.kubeconfig}",
        f"--operator-namespace={operator_namespace}",
        f"--key-dir={key_dir}",
        f"--log-format={log_format}",
        "--log-level=debug",
    )

    with resizer(sets, tmp_path, *flags) as process:
        sets.annotate("db", resize_0="2Gi")
        sets.wait_status("db", "Done: data=2Gi")
        sets.annotate("db", resize_0="3000Gi")
        sets.wait_status("db", "Blocked: OverBound")
        process.popen.terminate()
        process.wait()

    lines = lines_of(process.log, log_format)
    assert {"claim grows", "backup saved", "set is created again", "status changes"} <= set(lines)
    lacking = {
        message: sorted(FIELDS - fields)
        for message, fields in lines.items()
        if message not in OF_THE_PROCESS and not fields >= FIELDS
    }
    assert {} == lacking
