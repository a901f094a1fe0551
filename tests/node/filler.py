"""Sets whose Pods fill their volumes steadily and fail at the first write that is refused."""

from collections.abc import Mapping

from testbed import writer
from tests.support.sets import IMAGE, Json, Sets, statefulset

_BYTES = """
trap 'exit 0' TERM
[ -e /data/fill ] || head -c {first} /dev/zero > /data/fill || exit 1
written=$(($(stat -c %s /data/fill) / 1048576))
while [ $written -lt {most} ]; do
  head -c 1048576 /dev/zero >> /data/fill && sync /data/fill || exit 1
  written=$((written + 1))
  usleep {pause}
done
echo {end}
while :; do sleep 1; done
"""
_FILES = """
trap 'exit 0' TERM
mkdir -p /data/files
number=$(ls /data/files | wc -l)
while [ $number -lt {most} ]; do
  last=$((number + 10))
  [ $number -lt {first} ] && last={first}
  while [ $number -lt $last ]; do
    : > /data/files/$number || exit 1
    number=$((number + 1))
  done
  usleep {pause}
done
echo {end}
while :; do sleep 1; done
"""
_FIRST = 128  # MiB that are there at once: the threshold is above them
_FIRST_FILES = 3500  # likewise
_END = "all is written"


def filling(
    mebibytes: int, per_second: float, annotations: Mapping[str, str], *, size: str, replicas: int
) -> Json:
    """Return a set that writes so many MiB to each volume, from 128 on at so many in a second."""
    script = _BYTES.format(
        first=_FIRST * 1048576, most=mebibytes, pause=round(1e6 / per_second), end=_END
    )
    return _running(script, annotations, size=size, replicas=replicas, storage_class="xfs")


def crowding(files: int, annotations: Mapping[str, str], *, size: str, replicas: int) -> Json:
    """Return a set that makes so many empty files on each volume, from 3,500 on 100 in a second."""
    script = _FILES.format(first=_FIRST_FILES, most=files, pause=100_000, end=_END)
    return _running(script, annotations, size=size, replicas=replicas, storage_class="few-inodes")


def _running(
    script: str, annotations: Mapping[str, str], *, size: str, replicas: int, storage_class: str
) -> Json:
    made = statefulset(
        replicas=replicas,
        sizes={"data": size},
        storage_class=storage_class,
        annotations=annotations,
    )
    container = {
        "name": "main",
        "image": IMAGE,
        "command": ["sh", "-c", script],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    made["spec"]["template"]["spec"]["containers"] = [container]
    return made


def has_written_all(sets: Sets, pod: str) -> bool:
    """Return whether a Pod says that it has written everything; it dies at a refused write."""
    return _END in writer.log(sets.cluster, sets.namespace, pod)
