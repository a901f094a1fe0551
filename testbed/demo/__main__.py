"""python -m testbed.demo: a set grows on a real cluster, while you look on.

KEEP=1 leaves the cluster and the operator running. A demo that was killed leaves them too; the next
one with the same state directory ends them first. Exit codes: 0 every promise held, 1 one did not
or something failed, 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from testbed import requirements
from testbed.cache import cache_directory
from testbed.process import BedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130


def main() -> int:
    """Play once."""
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    state = parse_arguments().state.resolve()
    try:
        requirements.check_up(node=True)
        with alone(state.with_suffix(".lock")):
            return play_once(state)
    except BedError as error:
        print(f"demo: {error}", flush=True)
        return 1


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m testbed.demo", description="A set grows on a real cluster."
    )
    state = cache_directory() / "beds" / "demo"
    parser.add_argument(
        "--state", type=Path, default=state, help="the cluster's directory (%(default)s)"
    )
    return parser.parse_args()


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a lock; BedError when another demo has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BedError("another demo is under way; wait for its end") from None
        yield


def play_once(state: Path) -> int:
    """Play, and whatever comes of it end everything, unless KEEP is set."""
    from rich.console import Console  # noqa: PLC0415 # needs what was just checked

    from testbed.demo.play import Play  # noqa: PLC0415 # likewise

    console = Console(highlight=False)
    play = Play(state, console)
    code = INTERRUPTED
    try:
        code = play.run()
    except BedError as error:
        console.print(f"demo: {error}", markup=False)
        code = 1
    except KeyboardInterrupt:
        console.print("interrupted")
    finally:
        # What is under way now must come to its end.
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if os.environ.get("KEEP") and play.is_up and code != INTERRUPTED:
            play.leave()
        else:
            play.end()
    return code


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
