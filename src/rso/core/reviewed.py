"""An AdmissionReview as far as it decides: sizes, annotations, and how the request was made.

Pod templates are never decoded. Source of the form: k8s.io/api/admission/v1.
"""

from typing import Any

import msgspec

from rso.core import names

Json = dict[str, Any]
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Struct(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A part of the review, in Kubernetes' own spelling on the wire."""


class SpecFields(Struct, frozen=True):
    """What a field manager owns of a spec."""

    templates: Json | None = msgspec.field(default=None, name="f:volumeClaimTemplates")


class Fields(Struct, frozen=True):
    """What a field manager owns."""

    spec: SpecFields | None = msgspec.field(default=None, name="f:spec")


class Manager(Struct, frozen=True):
    """An entry of `metadata.managedFields`."""

    manager: str = ""
    operation: str = ""
    fields: Fields | None = msgspec.field(default=None, name="fieldsV1")

    @property
    def applies_templates(self) -> bool:
        """Whether it applies manifests in which the claim templates stand."""
        spec = self.fields.spec if self.fields else None
        return self.operation == "Apply" and spec is not None and spec.templates is not None


class Metadata(Struct, frozen=True):
    """Of a set under review; any name and any annotation may stand in it."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    annotations: dict[str, str] | None = None
    deletion_timestamp: str | None = None
    managed_fields: tuple[Manager, ...] = ()


class Spec(Struct, frozen=True):
    """Claim templates whole: nothing but their sizes may differ."""

    volume_claim_templates: list[Json] | None = None


class ReviewedSet(Struct, frozen=True):
    """A StatefulSet as it was sent, defaults filled in, or as it is stored."""

    metadata: Metadata = Metadata()
    spec: Spec = Spec()

    @property
    def annotations(self) -> dict[str, str]:
        """All annotations."""
        return self.metadata.annotations or {}

    @property
    def templates(self) -> list[Json]:
        """The claim templates."""
        return self.spec.volume_claim_templates or []


class Kind(Struct, frozen=True):
    """The kind of the object under review."""

    group: str = ""
    version: str = ""
    kind: str = ""


class Options(Struct, frozen=True):
    """How the request was made: PUT, patch and apply look alike but for the manager's name."""

    field_manager: str = ""


class Request(Struct, frozen=True):
    """What is asked."""

    uid: str
    kind: Kind
    operation: str
    name: str = ""
    namespace: str = ""
    sub_resource: str = ""
    dry_run: bool | None = None
    options: Options = Options()
    object: ReviewedSet | None = None
    old_object: ReviewedSet | None = None

    @property
    def is_of_set(self) -> bool:
        """Whether it is about a StatefulSet itself, not a part such as its scale."""
        return self.kind == Kind("apps", "v1", "StatefulSet") and not self.sub_resource


class Review(Struct, frozen=True):
    """The body of a POST to the webhook."""

    api_version: str
    kind: str
    request: Request


def is_whole_manifest(old: ReviewedSet, new: ReviewedSet, manager: str) -> bool:
    """Return whether an update carries all that somebody's manifest says of the templates.

    Only then a template that equals the stored one is a statement, not a mere leftover:

    - a PUT without what we wrote into the set was not read before it was written;
    - `kubectl apply` writes the manifest down in an annotation;
    - a server-side apply comes from a manager that owns the templates by applying them.

    Seen on 1.37.2: for a patch, too, the options are UpdateOptions.
    """
    written = _written_by_us(old)
    if written and written.isdisjoint(new.annotations):
        return True
    if old.annotations.get(LAST_APPLIED) != new.annotations.get(LAST_APPLIED):
        return LAST_APPLIED in new.annotations
    return any(
        each.manager == manager and each.applies_templates for each in new.metadata.managed_fields
    )


def _written_by_us(found: ReviewedSet) -> set[str]:
    return {key for key in found.annotations if key == names.STATUS or names.is_declared(key)}
