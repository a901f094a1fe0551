"""python -m fuzz.covered TARGET SECONDS KEPT CORPUS: one target by coverage, as a process.

libFuzzer ends the process itself. The product is imported only here, so that its code tells which
way it goes.
"""

import sys

import atheris

HANGING_SECONDS = 60  # of the wall clock; then even a loaded machine is not to blame
MOST_INPUT_BYTES = 4096


def main(name: str, seconds: str, kept: str, corpus: str) -> None:
    """Play until the time is up, or an input fails."""
    with atheris.instrument_imports(include=["rso", "fuzz"]):
        from fuzz.choices import FromBytes  # noqa: PLC0415  as the module says
        from fuzz.targets import play  # noqa: PLC0415  likewise
    flags = (
        f"-max_total_time={seconds}",
        f"-timeout={HANGING_SECONDS}",
        f"-max_len={MOST_INPUT_BYTES}",
        f"-artifact_prefix={kept}/{name}-",
        "-print_final_stats=1",
    )
    atheris.Setup([sys.argv[0], *flags, corpus], lambda data: play(name, FromBytes(data)))
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
