"""How a resizer ends where it cannot work: a code for scripts, a sentence for people."""

from pathlib import Path

import pytest

from tests.cluster.processes import resizer
from tests.cluster.test_serving import free_address, get
from tests.support.sets import Sets


def test_a_bad_value_ends_with_2_before_anything_starts(sets: Sets, tmp_path: Path) -> None:
    """The message names flag and value; nothing has listened, nothing was asked."""
    address = free_address()

    with resizer(sets, tmp_path, f"--metrics-bind={address}", "--max-size=ten") as process:
        code = process.wait()

    assert 2 == code
    assert "--max-size" in process.log
    assert "'ten'" in process.log
    assert "resizer starts" not in process.log


def test_an_unreachable_cluster_ends_with_3(sets: Sets, tmp_path: Path) -> None:
    """Where nobody listens the address is named, and the code is 3."""
    address = free_address()
    text = sets.cluster.kubeconfig.read_text().replace(sets.cluster.url, f"https://{address}")
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(text)

    with resizer(sets, tmp_path, f"--kubeconfig={kubeconfig}") as process:
        code = process.wait()

    assert 3 == code, process.log
    assert address in process.log
    assert "Traceback" not in process.log


@pytest.mark.parametrize("mode", [(), ("--no-leader-elect",)], ids=["with a Lease", "without"])
def test_a_user_without_rights_ends_with_5(
    sets: Sets, operator_namespace: str, tmp_path: Path, mode: tuple[str, ...]
) -> None:
    """Who may not even read the operator's namespace is told which right lacks; the code is 5."""
    account = sets.cluster.service_account(operator_namespace)
    flags = (f"--kubeconfig={account.kubeconfig}", f"--operator-namespace={operator_namespace}")

    with resizer(sets, tmp_path, *flags, *mode) as process:
        code = process.wait()

    assert 5 == code, process.log
    assert 'cannot get resource "namespaces"' in process.log
    assert "Traceback" not in process.log


def test_an_address_that_is_taken_ends_with_1(
    sets: Sets, operator_namespace: str, key_dir: Path, tmp_path: Path
) -> None:
    """A second process on the same address says so."""
    address = free_address()
    flags = (
        f"--kubeconfig={sets.cluster.kubeconfig}",
        f"--operator-namespace={operator_namespace}",
        f"--key-dir={key_dir}",
        f"--metrics-bind={address}",
    )
    (tmp_path / "second").mkdir()

    with resizer(sets, tmp_path, *flags):
        sets.wait(lambda: get(address, "/healthz")[0] == 200, "the first one serves")
        with resizer(sets, tmp_path / "second", *flags) as process:
            code = process.wait()

    assert 1 == code, process.log
    assert f"cannot listen on {address}" in process.log
