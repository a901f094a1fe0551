"""The runbook answers every reason that a user can see."""

from pathlib import Path

from rso.core.names import Note, Reason

# What needs a person's look, though no status says so.
OTHERS = {"A set is missing", "A step is tried again and again", Note.STALE_REFERENCE.value}
RUNBOOK = Path(__file__).parents[2] / "docs" / "user" / "runbook.md"


def test_every_reason_has_an_anchor() -> None:
    """Each reason of the closed list is a heading of the runbook, and no heading is left over."""
    headings = {
        line.removeprefix("## ")
        for line in RUNBOOK.read_text().splitlines()
        if line.startswith("## ")
    }

    assert {reason.value for reason in Reason} | OTHERS == headings
