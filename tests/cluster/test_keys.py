"""The key of the backups comes while the resizer runs: first none, then a wrong one, then it."""

from pathlib import Path

from tests.cluster.looks import count, metric
from tests.support.fixtures import Run
from tests.support.operators import make_keys
from tests.support.sets import Sets, Snapshot, check_unharmed, statefulset, template_sizes


def test_claims_grow_without_a_key_and_the_recreate_follows_when_it_comes(
    sets: Sets, run: Run, tmp_path: Path
) -> None:
    """With no key, then a broken one, only claims grow; a good one ends that without a restart."""
    keys = tmp_path / "mounted"
    sets.make(statefulset(replicas=2))
    before = Snapshot.of(sets, "db")

    with run(key_dir=keys) as operator:
        sets.annotate("db", resize_0="2Gi")
        status = sets.wait_status("db", "Blocked: NoKey")
        readable = [metric(operator, "rso_keys_readable")]
        keys.mkdir()
        (keys / "k-1").write_text("no key at all")
        (keys / "primary").write_text("k-1")
        sets.annotate("db", resize_0="3Gi")
        sets.wait(lambda: set(sets.requests().values()) == {"3Gi"}, "the claims grow on")
        sets.wait_status("db", "Blocked: NoKey")
        readable.append(metric(operator, "rso_keys_readable"))
        deleted = count(operator, "delete statefulsets")
        for file in list(keys.iterdir()):
            file.unlink()
        make_keys(keys)
        sets.wait_status("db", "Done: data=3Gi")
        sets.wait(lambda: metric(operator, "rso_keys_readable") == 1, "the key is told")

    assert "run rso keygen" in status
    assert [0, 0] == readable
    assert 0 == deleted
    assert {"data": "3Gi"} == template_sizes(sets.get("db"))
    check_unharmed(before, Snapshot.of(sets, "db"))
