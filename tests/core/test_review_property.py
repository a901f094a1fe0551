"""Whatever set is changed in whatever way: a patch reaches claim sizes and our annotations only."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rso.core.admission import review
from rso.core.policy import Bounds
from rso.core.rules import OnSmaller, Rules
from tests.support.reviewed import apply, client_apply, create, patch, patched, put, reviewed_set
from tests.support.sets import PREFIX

Json = dict[str, Any]
SENT = (patch, put, apply, client_apply)
# Sizes that compare in many ways, and texts that are none.
SIZES = st.sampled_from(
    ["1Gi", "1024Mi", "2Gi", "2.5Gi", "15Gi", "3000Gi", "0", "-1", "x", "1e9999"]
)
NAMES = st.sampled_from(["data", "log", "a~b/c", ""])
KEYS = st.sampled_from(
    [
        *(f"{PREFIX}{word}-{index}" for word in ("resize", "declared") for index in (0, 1, 7)),
        *(f"{PREFIX}{word}" for word in ("resize.data", "auto-resize-0", "max-size", "confirm")),
        *(f"{PREFIX}{word}" for word in ("on-smaller", "paused", "status", "odd~/key")),
        "example.com/note",
    ]
)
TEXTS = st.one_of(SIZES, st.sampled_from(["keep", "deny", "true", "Growing: data=2Gi", "Done"]))
WAITS = st.sampled_from(["Waiting: data=2Gi", "Waiting: NotQuiet: x"])


@st.composite
def sets(draw: st.DrawFn) -> Json:
    """Return a set that may be anything before it is validated."""
    pairs = draw(st.lists(st.tuples(NAMES, SIZES), max_size=3, unique_by=lambda each: each[0]))
    made = reviewed_set(dict(pairs))
    annotations = draw(st.none() | st.dictionaries(KEYS, TEXTS | WAITS, max_size=5))
    if annotations is not None:
        made["metadata"]["annotations"] = annotations
    return made


def others(found: Json) -> Json:
    """Return what is nobody's business but its owner's."""
    kept = copy.deepcopy(found)
    annotations = kept["metadata"].pop("annotations", None) or {}
    kept["foreign"] = {k: text for k, text in annotations.items() if not k.startswith(PREFIX)}
    for each in kept["spec"]["volumeClaimTemplates"]:
        each["spec"]["resources"]["requests"].pop("storage", None)
    return kept


# Two whole sets are drawn for each example: slow on a machine that has more to do.
@given(sets(), sets(), st.sampled_from(SENT), st.sampled_from(["deny", "keep"]), st.booleans())
def test_a_patch_changes_only_sizes_and_our_annotations(
    old: Json,
    new: Json,
    send: Any,  # noqa: ANN401  makes a request
    on_smaller: OnSmaller,
    is_new: bool,  # noqa: FBT001  drawn
) -> None:
    """Every patch can be applied, changes nothing else, and never makes a template smaller."""
    rules = Rules(Bounds(2000 * 2**30, 10, template_follows=False), on_smaller)
    request = create(new) if is_new else send(old, new)
    submitted = patched(request, ())

    verdict = review(request, rules)
    after = patched(request, verdict.patch)

    assert others(submitted) == others(after)
    assert verdict.allowed or not verdict.patch
    if not is_new:
        for each in verdict.patch:
            if each["path"].endswith("/storage"):
                index = int(each["path"].split("/")[3])
                assert sizes(old)[index] == each["value"]


def sizes(found: Json) -> list[str]:
    """Return the sizes of the templates."""
    templates = found["spec"]["volumeClaimTemplates"]
    return [each["spec"]["resources"]["requests"]["storage"] for each in templates]
