"""The checker of the records that Pods write: what it must find."""

import hashlib

import pytest

from testbed import writer

COUNT = 5


def written(count: int = COUNT) -> list[str]:
    """Return the lines of a writer that wrote once a second, its file system grown at the third."""
    lines = []
    previous = writer.FIRST_HASH
    for number in range(1, count + 1):
        beginning = f"{number} {100 + number}.5 {1000 if number < 3 else 2000}"
        previous = hashlib.sha256(f"{beginning} {previous}\n".encode()).hexdigest()
        lines.append(f"{beginning} {previous}")
    return lines


def text(lines: list[str]) -> str:
    """Return a journal."""
    return "".join(f"{line}\n" for line in lines)


def test_a_whole_journal() -> None:
    """All records told are there, each follows from the one before, and more may have come."""
    journal = writer.check(text(written()), written()[:-1])

    assert journal.is_whole
    assert list(range(1, COUNT + 1)) == [record.number for record in journal.records]


@pytest.mark.parametrize("gone", range(COUNT))
def test_a_record_that_is_gone(gone: int) -> None:
    """A record that was told to be written and is not there is found, wherever it stood."""
    lines = written()
    left = lines[:gone] + lines[gone + 1 :]
    journal = writer.check(text(left), lines)

    assert not journal.is_whole
    assert (lines[gone],) == journal.missing


def test_a_record_that_nobody_acknowledged_is_missed_by_its_successor() -> None:
    """A hole in the middle breaks the chain, also without a log."""
    lines = written()
    journal = writer.check(text(lines[:2] + lines[3:]), [])

    assert 3 in journal.broken


def test_a_record_that_was_changed() -> None:
    """One changed character breaks the chain at that record."""
    lines = written()
    lines[2] = lines[2].replace("103.5", "103.6")
    journal = writer.check(text(lines), [])

    assert 3 in journal.broken


def test_a_line_that_is_no_record() -> None:
    """Rubbish in a journal is an error, not a record."""
    with pytest.raises(ValueError, match="unpack"):
        writer.check("rubbish\n", [])


def test_gaps_and_growth() -> None:
    """The largest gap and the first record of the bigger file system are told by their times."""
    lines = written()
    journal = writer.check(text(lines[:3] + lines[4:]), [])

    assert 2.0 == journal.largest_gap()
    assert 1.0 == journal.largest_gap(until=104)
    assert 103.5 == journal.grown_at(2000)
    assert journal.grown_at(3000) is None
