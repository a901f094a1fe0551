"""What the webhook answers: allowed or not, why, and which fields it changes.

A patch reaches claim sizes and our annotations, nothing else: `Draft` has no way to more.
"""

from typing import Any, Literal

import msgspec

from rso.core.names import is_ours
from rso.core.reviewed import ReviewedSet

Operation = dict[str, Any]
Outcome = Literal["unchanged", "changed", "denied"]
BAD_REQUEST = 400  # GitOps tools answer 409 and 422 by deleting (kubernetes.md W4, G13)


class Verdict(msgspec.Struct, frozen=True):
    """The answer to one request; `patch` is a JSON patch (RFC 6902)."""

    allowed: bool = True
    message: str = ""
    warnings: tuple[str, ...] = ()
    patch: tuple[Operation, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """One word for the metric."""
        if not self.allowed:
            return "denied"
        return "changed" if self.patch else "unchanged"


def denied(message: str) -> Verdict:
    """Return a refusal in these words."""
    return Verdict(allowed=False, message=message)


class Draft:
    """The changes to a set under review, until all of it is judged."""

    def __init__(self, submitted: ReviewedSet) -> None:
        self.annotations = {k: v for k, v in submitted.annotations.items() if is_ours(k)}
        self.warnings: list[str] = []
        self._submitted = submitted
        self._sizes: dict[int, str] = {}

    @property
    def templates(self) -> list[dict[str, Any]]:
        """The claim templates with the drafted sizes."""
        return [
            sized(template, self._sizes.get(index))
            for index, template in enumerate(self._submitted.templates)
        ]

    def resize(self, index: int, text: str) -> None:
        """Give a template another size, as text."""
        self._sizes[index] = text

    def annotate(self, key: str, text: str | None) -> None:
        """Set one of our annotations, or remove it."""
        if text is None:
            self.annotations.pop(key, None)
        else:
            self.annotations[key] = text

    def warn(self, sentence: str) -> None:
        """Tell the person who sent the request."""
        self.warnings.append(sentence)

    def verdict(self) -> Verdict:
        """Return the verdict that allows the request with these changes."""
        patch = [*self._size_operations(), *self._annotation_operations()]
        return Verdict(warnings=tuple(self.warnings), patch=tuple(patch))

    def _size_operations(self) -> list[Operation]:
        operations: list[Operation] = []
        for index, text in sorted(self._sizes.items()):
            template = self._submitted.templates[index]
            base = f"/spec/volumeClaimTemplates/{index}"
            name = template["metadata"]["name"]
            operations.append({"op": "test", "path": f"{base}/metadata/name", "value": name})
            path = f"{base}/spec/resources/requests/storage"
            operations.append({"op": "replace", "path": path, "value": text})
        return operations

    def _annotation_operations(self) -> list[Operation]:
        before = {k: v for k, v in self._submitted.annotations.items() if is_ours(k)}
        after = self.annotations
        operations: list[Operation] = []
        if after and not self._submitted.annotations:
            operations.append({"op": "add", "path": "/metadata/annotations", "value": {}})
        for key in sorted({*before, *after}):
            path = f"/metadata/annotations/{_escaped(key)}"
            if key not in after:
                operations.append({"op": "remove", "path": path})
            elif before.get(key) != after[key]:
                operations.append({"op": "add", "path": path, "value": after[key]})
        return operations


def size_text(template: dict[str, Any]) -> str | None:
    """Return the size that a claim template asks for; None when it asks for none."""
    found: Any = template
    for key in ("spec", "resources", "requests", "storage"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, str) else None


def sized(template: dict[str, Any], text: str | None) -> dict[str, Any]:
    """Return a claim template with another size; None leaves it."""
    if text is None:
        return template
    spec = template["spec"]
    requests = {**spec["resources"]["requests"], "storage": text}
    return {**template, "spec": {**spec, "resources": {**spec["resources"], "requests": requests}}}


def _escaped(key: str) -> str:
    """Return a key as a part of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
