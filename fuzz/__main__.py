"""python -m fuzz list | run [TARGET...] [--seconds N] | replay TARGET FILE."""

import argparse
import sys
import time
from pathlib import Path

from fuzz.choices import FromBytes
from fuzz.engines import by_coverage, by_hypothesis, has_coverage
from fuzz.targets import TARGETS, play, promise

KEPT = Path(".cache/fuzz")
SECONDS = 60
_PART_OF_HYPOTHESIS = 4  # of the time of a target; coverage finds more in the rest


def main() -> int:
    """Do what the words say."""
    options = _parser().parse_args()
    if options.verb == "list":
        for name in TARGETS:
            print(f"{name:24}{promise(name)}")
    elif options.verb == "replay":
        play(options.target, FromBytes(options.file.read_bytes()))
        print(f"{options.target}: the property holds for this input.")
    else:
        return _run(options.targets or list(TARGETS), options.seconds)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="the targets and what each promises")
    run = verbs.add_parser("run", help="play targets")
    run.add_argument("targets", nargs="*", metavar="TARGET", choices=[*TARGETS, []])
    run.add_argument("--seconds", type=int, default=SECONDS, help="for each target")
    replay = verbs.add_parser("replay", help="play one input again")
    replay.add_argument("target", choices=TARGETS)
    replay.add_argument("file", type=Path)
    return parser


def _run(names: list[str], seconds: int) -> int:
    failed = [name for name in names if not _play(name, seconds)]
    if failed:
        print(f"{len(failed)} of {len(names)} failed: {', '.join(failed)}")
    else:
        print(f"All {len(names)} targets held.")
    return 1 if failed else 0


def _play(name: str, seconds: int) -> bool:
    """Play one target with both engines; tell how it went, and return whether it held."""
    if not has_coverage():
        print("atheris is not here: hypothesis plays alone", file=sys.stderr)
    share = seconds / _PART_OF_HYPOTHESIS if has_coverage() else seconds
    print(f"{name}: {seconds} s ...", end=" ", flush=True)
    began = time.monotonic()
    try:
        drawn = by_hypothesis(name, share)
        covered = by_coverage(name, round(seconds - share), KEPT) if has_coverage() else 0
    except Exception as fault:  # noqa: BLE001  whatever it is, it was found
        print(f"FAILED after {time.monotonic() - began:.0f} s")
        print(f"{type(fault).__name__}: {fault}", *getattr(fault, "__notes__", ()), sep="\n")
        return False
    print(f"held: {drawn:,} inputs by hypothesis, {covered:,} by atheris")
    return True


if __name__ == "__main__":
    sys.exit(main())
