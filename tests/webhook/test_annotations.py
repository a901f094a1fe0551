"""Annotations and bounds at a real API server: good, bad, unknown; and new sets."""

import pytest

from tests.support.sets import PREFIX, Sets, template_sizes
from tests.webhook.ways import WAYS, Way, client_apply, manifest, own, run, start


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("size", "annotations", "words"),
    [
        ("3000Gi", {"confirm": "3000Gi"}, "above the bound of 2000Gi"),
        ("4Gi", {"max_size": "3Gi"}, "above the bound of 3Gi"),
        ("11Gi", {}, "more than 10 times 1Gi; volumes never shrink, so confirm it"),
    ],
)
def test_a_size_out_of_bounds_is_denied(
    sets: Sets, way: Way, size: str, annotations: dict[str, str], words: str
) -> None:
    """The sentence names the wish, the bound and what to do."""
    start(sets, way, manifest(**annotations))

    told = way(sets, manifest(size, **annotations))

    assert f"resize-0 asks for {size}, " in told
    assert words in told
    assert {"data": "1Gi"} == template_sizes(sets.get("db"))


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("resize-0", "much", "resize-0: 'much' cannot be used"),
        ("resize-7", "2Gi", "resize-7 names no claim template: the set has 0=data"),
        ("resize.log", "2Gi", "resize.log names no claim template"),
        ("auto-resize-0", "-1", "auto-resize-0: '-1' cannot be used: it has a sign"),
        ("declared-0", "x", "declared-0: 'x' cannot be used"),
        ("max-size", "x", "max-size: 'x' cannot be used"),
        ("confirm", "x", "confirm: 'x' cannot be used"),
        ("paused", "1", "paused is '1'; write true or false"),
        ("recreate", "1", "recreate is '1'; write true or false"),
        ("auto-scaled", "1", "auto-scaled is '1'; write true or false"),
        ("on-smaller", "1", "on-smaller is '1'; write deny or keep"),
        ("when-deleted", "1", "when-deleted is '1'; write Delete or Retain"),
        ("resize-0", "3000Gi", "resize-0 asks for 3000Gi, above the bound of 2000Gi"),
    ],
)
def test_a_bad_annotation_is_denied(sets: Sets, key: str, value: str, words: str) -> None:
    """`kubectl annotate` says what is wrong with which key, and nothing is stored."""
    client_apply(sets, manifest())

    told = run(sets, "annotate", "sts", "db", f"{PREFIX}{key}={value}")

    assert words in told
    assert {} == own(sets)


def test_a_good_annotation_is_stored_and_an_unknown_one_warned_of(sets: Sets) -> None:
    """A wish by annotation waits; a key of another version is stored all the same."""
    client_apply(sets, manifest())

    told = run(sets, "annotate", "sts", "db", f"{PREFIX}resize.data=2Gi", f"{PREFIX}novel=1")

    assert f"Warning: the annotation {PREFIX}novel is unknown to this version" in told
    expected = {"resize.data": "2Gi", "novel": "1", "status": "Waiting: data=2Gi"}
    assert expected == own(sets)


@pytest.mark.parametrize(
    ("size", "wish", "stored", "declared"),
    [
        pytest.param("1Gi", "2Gi", "2Gi", "1Gi", id="a wish above the template"),
        pytest.param("2Gi", "1Gi", "2Gi", None, id="a satisfied wish"),
        pytest.param("3000Gi", "2Gi", "3000Gi", None, id="a template over the bound"),
    ],
)
def test_a_created_set_has_the_size_that_it_wishes(
    sets: Sets, size: str, wish: str, stored: str, declared: str | None
) -> None:
    """A new set needs no resize: its template is true at once."""
    client_apply(sets, manifest(size, resize_0=wish))

    assert {"data": stored} == template_sizes(sets.get("db"))
    assert declared == own(sets).get("declared-0")


def test_a_set_with_a_wish_over_the_bound_is_not_created(sets: Sets) -> None:
    """The create is refused, with the sentence of the status."""
    told = client_apply(sets, manifest(resize_0="3000Gi"))

    assert "resize-0 asks for 3000Gi, above the bound of 2000Gi" in told
    assert sets.find("db") is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("resize.data", "1Gi"),
        ("auto-resize-0", "2Gi"),
        ("declared-0", "1Gi"),
        ("max-size", "5Gi"),
        ("confirm", "50Gi"),
        ("paused", "true"),
        ("recreate", "false"),
        ("auto-scaled", "true"),
        ("on-smaller", "keep"),
        ("when-deleted", "Delete"),
    ],
)
def test_a_good_annotation_is_stored_in_silence(sets: Sets, key: str, value: str) -> None:
    """Each key of ours with a value that it may have passes without a word."""
    client_apply(sets, manifest())

    told = run(sets, "annotate", "sts", "db", f"{PREFIX}{key}={value}")

    assert "Warning" not in told
    assert value == own(sets)[key]
