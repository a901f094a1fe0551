"""The decision of the webhook: a bigger size becomes a wish, a smaller one is refused or kept.

Pure. What the annotations say is judged by `read_policy`, by which the resizer goes too: it never
relies on the webhook having run.
"""

from rso.core import names
from rso.core.policy import Fault, Policy, read_policy
from rso.core.reviewed import Request, ReviewedSet
from rso.core.rules import Denied, Rules, model_of
from rso.core.update import Update
from rso.core.verdict import Draft, Verdict, denied

_UNCHANGED = Verdict()


def review(request: Request, rules: Rules) -> Verdict:
    """Return what becomes of a request; the same for a dry run.

    What is not about a StatefulSet, or is about one that goes, is not our business: allowed.
    """
    new, old = request.object, request.old_object
    if not request.is_of_set or new is None or new.metadata.deletion_timestamp is not None:
        return _UNCHANGED
    try:
        if request.operation == "CREATE":
            return _created(new, rules)
        if request.operation == "UPDATE" and old is not None:
            return Update(request, old, new, rules).verdict()
    except Denied as denial:
        return denied(str(denial))
    return _UNCHANGED


def _created(new: ReviewedSet, rules: Rules) -> Verdict:
    """Make a template true at once that is smaller than the set's own wish."""
    draft = Draft(new)
    rules.check_keys(draft, draft.annotations)
    policy = _policy(new, rules)
    for target in policy.targets if policy else ():
        if target.rises:
            declared = f"{names.DECLARED}{target.index}"
            draft.resize(target.index, target.template.text)
            draft.annotate(declared, draft.annotations.get(declared, target.current.text))
            draft.warn(
                f"{target.name}: created with {target.template.text}, as the set's own wish says, "
                f"instead of {target.current.text}"
            )
    return draft.verdict()


def _policy(new: ReviewedSet, rules: Rules) -> Policy | None:
    """Return what a new set wants; None for templates that only the API server can judge."""
    own = {key: text for key, text in new.annotations.items() if names.is_ours(key)}
    found = model_of(own, new.templates)
    policy = read_policy(found, rules.bounds, {}) if found else None
    if isinstance(policy, Fault):
        raise Denied(policy.sentence)
    return policy
