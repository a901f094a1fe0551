"""python -m bench [FIGURE...]: JSON on stdout, a line for people on stderr."""

import argparse
import importlib
import json
import logging
import sys
from pathlib import Path
from typing import Any

FIGURES = ("one-set", "fifty-sets", "idle", "watch-faults", "look", "webhook", "webhook-faults")


def main() -> int:
    """Measure the figures asked for, one after another."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"of {', '.join(FIGURES)}")
    parser.add_argument("--state", type=Path, help="use the test bed in this directory")
    options = parser.parse_args()
    chosen = options.figures or FIGURES
    if unknown := set(chosen) - set(FIGURES):
        parser.error(f"no such figure: {', '.join(sorted(unknown))}")
    logging.disable()  # the faults that are measured would be logged
    results: list[dict[str, Any]] = []
    for figure in chosen:
        module = importlib.import_module(f"bench.{figure.replace('-', '_')}")
        for result in module.measure(options.state):
            results.append(result)
            print(_summary(result), file=sys.stderr, flush=True)
    print(json.dumps(results, indent=2))
    return 0


def _summary(result: dict[str, Any]) -> str:
    """Return what a person wants to know of a figure."""
    verdict = "goal met" if result["is_met"] else "GOAL MISSED"
    options = " ".join(f"{key}={value}" for key, value in result["options"].items())
    lines = [f"{result['figure']} ({options}): {verdict}"]
    for name, value in result["values"].items():
        shown = (
            " ".join(f"{key}={each}" for key, each in value.items())
            if isinstance(value, dict)
            else value
        )
        lines.append(f"  {name}: {shown}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
