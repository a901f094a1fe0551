"""`rso keygen`: a key that is made once and never overwritten."""

from pathlib import Path

import pytest

from rso.app.keys import load_keys
from rso.cli.main import main
from testbed.cluster import Cluster


def run(*words: str) -> int:
    """Run `rso keygen`, and return its exit code."""
    with pytest.raises(SystemExit) as ended:
        main(["keygen", *words])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_directory_gets_a_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The key is named, and seals."""
    assert 0 == run(str(tmp_path / "keys"))
    assert f"made key {load_keys(tmp_path / 'keys').primary} in" in capsys.readouterr().out


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    """A second key into the same directory fails, or with --if-absent changes nothing."""
    run(str(tmp_path / "keys"))
    before = load_keys(tmp_path / "keys")

    assert 1 == run(str(tmp_path / "keys"))
    assert 0 == run(str(tmp_path / "keys"), "--if-absent")
    assert before == load_keys(tmp_path / "keys")


def test_a_secret_is_never_overwritten(cluster: Cluster, namespace: str) -> None:
    """A Secret gets a key once; a second time fails, or with --if-absent changes nothing."""
    words = ("--secret", "keys", "-n", namespace, "--kubeconfig", str(cluster.kubeconfig))

    assert 0 == run(*words)
    before = cluster.get("secret", "keys", namespace)
    assert 1 == run(*words)
    assert 0 == run(*words, "--if-absent")
    assert before == cluster.get("secret", "keys", namespace)


@pytest.mark.parametrize(
    "words",
    [pytest.param((), id="nothing"), pytest.param(("keys", "--secret", "keys"), id="both")],
)
def test_one_place_is_named(words: tuple[str, ...]) -> None:
    """Neither place, or both, is wrong use."""
    assert 2 == run(*words)
