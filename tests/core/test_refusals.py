"""What an API server's no means, in a reason and a sentence."""

import pytest

from rso.core.names import Reason
from rso.core.refusals import claim_refusal, create_refusal, is_namespace_gone
from rso.core.world import Refusal

SECRET = "hunter2-in-an-env-value"


@pytest.mark.parametrize(
    ("refusal", "reason", "words"),
    [
        pytest.param(
            Refusal(403, "Forbidden", "exceeded quota: team, requested: requests.storage=10Gi"),
            Reason.QUOTA_FULL,
            "'exceeded quota: team, requested: requests.storage=10Gi'",
            id="quota",
        ),
        pytest.param(
            Refusal(403, "Forbidden", "only dynamically provisioned pvc can be resized and ..."),
            Reason.NOT_EXPANDABLE,
            "does not allow expansion",
            id="class",
        ),
        pytest.param(
            Refusal(422, "Invalid", "field is immutable\n\x1b[31m"),
            Reason.ADMISSION_REFUSES,
            "with 422: 'field is immutable\\n\\x1b[31m'",
            id="validation, control characters escaped",
        ),
        pytest.param(
            Refusal(400, "BadRequest", "exceeded quota"),
            Reason.ADMISSION_REFUSES,
            "with 400",
            id="only a 403 is a quota",
        ),
        pytest.param(
            Refusal(403, "Forbidden", "x" * 1000),
            Reason.ADMISSION_REFUSES,
            "'" + "x" * 300 + "';",
            id="a long message is cut",
        ),
    ],
)
def test_a_refused_claim_is_quoted(refusal: Refusal, reason: Reason, words: str) -> None:
    """The sentence names claim, size and what the server said."""
    blocked = claim_refusal("data-db-0", "20Gi", refusal)

    assert reason == blocked.reason
    assert words in blocked.sentence
    assert "claim data-db-0" in blocked.sentence


@pytest.mark.parametrize(
    ("refusal", "reason", "words"),
    [
        pytest.param(
            Refusal(403, "Forbidden", f"exceeded quota: {SECRET}"),
            Reason.QUOTA_FULL,
            "raise count/statefulsets.apps by one",
            id="quota",
        ),
        pytest.param(
            Refusal(
                400,
                "BadRequest",
                f'admission webhook "check.example.com" does not support dry run {SECRET}',
            ),
            Reason.CANNOT_PROVE,
            "the webhook check.example.com does not support dry runs",
            id="a webhook without dry runs",
        ),
        pytest.param(
            Refusal(400, "BadRequest", f'admission webhook "a.example.com" denied: {SECRET}'),
            Reason.ADMISSION_REFUSES,
            "with 400 by the webhook a.example.com; `rso plan db` shows",
            id="a webhook",
        ),
        pytest.param(
            Refusal(
                422,
                "Invalid",
                f"ValidatingAdmissionPolicy 'no-root' with binding 'b' denied: {SECRET}",
            ),
            Reason.ADMISSION_REFUSES,
            "by the policy no-root",
            id="a policy",
        ),
        pytest.param(
            Refusal(422, "Invalid", SECRET, ("spec.template.spec.containers[0].image", "spec.x\n")),
            Reason.ADMISSION_REFUSES,
            "by the API server because of spec.template.spec.containers[0].image, spec.x\\n;",
            id="validation names its fields",
        ),
        pytest.param(
            Refusal(422, "Invalid", "dry run", tuple(f"f{each}" for each in range(9))),
            Reason.ADMISSION_REFUSES,
            "because of f0, f1, f2, f3, f4;",
            id="at most five fields",
        ),
        pytest.param(
            Refusal(403, "Forbidden", SECRET, causes=("NamespaceTerminating",)),
            Reason.ADMISSION_REFUSES,
            "the namespace is being deleted",
            id="a namespace that goes",
        ),
    ],
)
def test_a_refused_set_is_not_quoted(refusal: Refusal, reason: Reason, words: str) -> None:
    """No part of a set goes into a status: who refused and which field must do (O11)."""
    blocked = create_refusal("db", refusal)

    assert reason == blocked.reason
    assert words in blocked.sentence
    assert SECRET not in blocked.sentence


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        pytest.param(
            Refusal(403, "Forbidden", "x", causes=("NamespaceTerminating",)), True, id="going"
        ),
        pytest.param(Refusal(404, "NotFound", 'namespaces "shop" not found'), True, id="gone"),
        pytest.param(Refusal(404, "NotFound", 'statefulsets "db" not found'), False, id="no set"),
        pytest.param(Refusal(403, "Forbidden", "namespaces is forbidden"), False, id="no right"),
    ],
)
def test_a_namespace_that_goes_is_known(refusal: Refusal, expected: bool) -> None:  # noqa: FBT001  a table
    """Only its end or its absence says that nothing can be created there any more."""
    assert expected == is_namespace_gone(refusal)
