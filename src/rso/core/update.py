"""The review of one update: size by size, then all that the annotations would say."""

from rso.core import names, own_keys
from rso.core.cases import Case, cases_of
from rso.core.policy import Fault, Policy, read_policy, wished_sizes
from rso.core.quantity import InvalidQuantity, Size, size
from rso.core.reviewed import Request, ReviewedSet, is_whole_manifest
from rso.core.rules import Denied, Rules, model_of
from rso.core.verdict import Draft, Verdict

_WAITING = frozenset(each.value for each in names.WAITING)


class Update:
    """One update of a set; `old` is stored, `new` was submitted."""

    def __init__(self, request: Request, old: ReviewedSet, new: ReviewedSet, rules: Rules) -> None:
        self._old = old
        self._new = new
        self._rules = rules
        self._draft = Draft(new)
        self._is_whole = is_whole_manifest(old, new, request.options.field_manager)
        self._status = old.annotations.get(names.STATUS, "")

    def verdict(self) -> Verdict:
        """Return what becomes of it.

        Raises: Denied.
        """
        cases = cases_of(self._old, self._new)
        if cases is None:  # the API server refuses it, in its own words
            return Verdict()
        changed = own_keys.changed(self._old.annotations, self._draft.annotations)
        self._rules.check_keys(self._draft, changed)
        for case in cases:
            self._decide(case)
        self._settle_status(self._policy())
        return self._draft.verdict()

    @property
    def _is_begun(self) -> bool:
        """Whether the resizer works on a wish: its `Waiting` names a reason, ours sizes."""
        head, _, rest = self._status.partition(": ")
        return head == "Growing" or (head == "Waiting" and rest.partition(":")[0] in _WAITING)

    def _decide(self, case: Case) -> None:
        if case.asked.bytes > case.stored.bytes:
            self._take(case)
        elif case.asked.bytes < case.stored.bytes:
            self._keep(case)
        elif self._is_whole:
            self._say_again(case)

    def _take(self, case: Case) -> None:
        """Put the stored size back, and make the bigger one the wish."""
        draft, asked = self._draft, case.asked
        draft.resize(case.index, case.stored_text)
        draft.annotate(case.declared_key, asked.text)
        standing = self._standing_wish(case)
        if standing is not None and standing.bytes > asked.bytes:
            draft.annotate(case.wish_key, standing.text)
            draft.warn(f"{case.name}: the wish for {standing.text}, more than {asked.text}, stands")
            return
        draft.annotate(case.wish_key, asked.text)
        draft.warn(
            f"{case.name}: {case.stored_text} -> {asked.text} is taken as a wish; every claim "
            f"grows and no Pod restarts; watch it: {self._command}"
        )

    def _keep(self, case: Case) -> None:
        """Keep the stored size, where that may be."""
        draft, asked, said = self._draft, case.asked, case.said
        is_smaller = asked.bytes < said.bytes
        if is_smaller and self._on_smaller == "deny":
            raise Denied(
                f"{case.name}: {asked.text} is less than {said.text}, and volumes never shrink; "
                f"write {said.text} or more, or set the annotation {names.ON_SMALLER}=keep to have "
                "smaller sizes passed over"
            )
        draft.resize(case.index, case.stored_text)
        draft.annotate(case.declared_key, asked.text)
        self._keep_begun_wish(case)
        why = "" if is_smaller else f"; it has grown beyond {asked.text} since"
        draft.warn(f"{case.name}: the size stays {case.stored_text}, volumes never shrink{why}")

    def _say_again(self, case: Case) -> None:
        """Take back what the manifest said before: it says the stored size now."""
        draft = self._draft
        if not case.is_pending:
            draft.annotate(case.declared_key, None)
        elif self._is_begun:
            self._keep_begun_wish(case)
            draft.annotate(case.declared_key, case.asked.text)
            draft.warn(
                f"{case.name}: growing from {case.stored_text} to {_text(case.wish)} is under way "
                f"and goes on; volumes never shrink; watch it: {self._command}"
            )
        elif case.is_recorded and case.submitted_wish in (None, case.wish):
            draft.annotate(case.wish_key, None)
            draft.annotate(case.declared_key, None)
            draft.warn(
                f"{case.name}: the wish for {_text(case.wish)} is withdrawn; the size stays "
                f"{case.stored_text}"
            )

    def _keep_begun_wish(self, case: Case) -> None:
        """Put back the wish that is under way and that a PUT has dropped."""
        if self._is_begun and case.is_pending and case.submitted_wish is None:
            self._draft.annotate(case.wish_key, _text(case.wish))

    def _standing_wish(self, case: Case) -> Size | None:
        """Return the wish that a bigger size does not replace."""
        if self._is_begun and case.is_pending:
            wishes = [each for each in (case.wish, case.submitted_wish) if each is not None]
            return max(wishes, key=lambda each: each.bytes)
        is_replaced = case.is_recorded and case.submitted_wish == case.wish
        return None if is_replaced else case.submitted_wish

    def _policy(self) -> Policy | None:
        """Return what the set would want; only what this request changes is refused.

        A set that stands with a fault must still be changed by others.
        Raises: Denied.
        """
        annotations = self._draft.annotations
        changed = own_keys.changed(self._old.annotations, annotations)
        judged = model_of({**self._limits(), **changed}, self._old.templates)
        found = read_policy(judged, self._rules.bounds, self._largest()) if judged else None
        if isinstance(found, Fault):
            raise Denied(found.sentence)
        whole = model_of(annotations, self._old.templates)
        policy = read_policy(whole, self._rules.bounds, self._largest()) if whole else None
        return None if isinstance(policy, Fault) else policy

    def _settle_status(self, policy: Policy | None) -> None:
        """Say that a new wish waits; put back the status that a PUT has dropped."""
        draft, old = self._draft, self._old.annotations
        rises = policy is not None and any(target.rises for target in policy.targets)
        is_new = {key for key in own_keys.changed(old, draft.annotations) if _is_wish(key)}
        if policy is not None and rises and is_new and not self._is_begun:
            draft.annotate(names.STATUS, f"Waiting: {wished_sizes(policy.targets)}")
        elif self._is_withdrawn and not rises:
            draft.annotate(names.STATUS, None)
        elif self._is_whole and names.STATUS in old:
            draft.annotate(names.STATUS, self._status)

    @property
    def _is_withdrawn(self) -> bool:
        """Whether a wish that the webhook has recorded is gone."""
        old, new = self._old.annotations, self._draft.annotations
        return any(_is_wish(key) and key not in new for key in old) and not self._is_begun

    @property
    def _on_smaller(self) -> str:
        return self._draft.annotations.get(names.ON_SMALLER, self._rules.on_smaller)

    @property
    def _command(self) -> str:
        metadata = self._new.metadata
        return f"kubectl rso status {metadata.name} -n {metadata.namespace} -w"

    def _limits(self) -> dict[str, str]:
        """Return the set's own limits, where they can be read."""
        keys = (names.MAX_SIZE, names.CONFIRM)
        own = {key: self._draft.annotations.get(key, "") for key in keys}
        return {key: text for key, text in own.items() if _is_size(text)}

    def _largest(self) -> dict[int, int]:
        """Return sizes by which no automatic wish is too big a step: claims are not known here."""
        return dict.fromkeys(range(len(self._old.templates)), self._rules.bounds.max_size_bytes)


def _is_wish(key: str) -> bool:
    return key.startswith((names.WISH_BY_INDEX, names.WISH_BY_NAME))


def _is_size(text: str) -> bool:
    try:
        size(text)
    except InvalidQuantity:
        return False
    return True


def _text(found: Size | None) -> str:
    return found.text if found else ""
