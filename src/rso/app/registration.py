"""The objects that make API servers ask the webhook, and the fence before it.

Two entries: updates must be reviewed (Fail), but only those that change a claim size or one of our
annotations, or meet a set that is not done; creates may be (Ignore). Neither ever sees the
operator's own requests, its namespace or kube-system.
"""

from dataclasses import dataclass
from typing import Any

from rso.app.review_server import PATH
from rso.app.self_signed import Service
from rso.core.names import APP, APP_LABEL, AUTO_STEPS, AUTO_WISH, PREFIX, STATUS

Json = dict[str, Any]
TIMEOUT_SECONDS = 5
INJECT = "cert-manager.io/inject-ca-from"

_API_VERSION = "admissionregistration.k8s.io/v1"
_NAMESPACE = "kubernetes.io/metadata.name"
_TEMPLATES = "{0}.spec.?volumeClaimTemplates.orValue([])"
_OURS = "{0}.metadata.?annotations.orValue({{}})"
_SIZES_CHANGE = f"{_TEMPLATES.format('object')} != {_TEMPLATES.format('oldObject')}"
_NOT_DONE = f'!{_OURS.format("oldObject")}[?"{STATUS}"].orValue("Done").startsWith("Done")'


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose sets are reviewed: those in `namespaces`, none for all; never those of `users`.

    Two installations in one cluster have objects of their own, named by their namespace.
    """

    service: Service
    users: tuple[str, ...]
    namespaces: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the webhook's configuration."""
        return f"{APP}.{self.service.namespace}"

    @property
    def selector(self) -> Json:
        """Which namespaces; kube-system and the operator's own are never among them."""
        excluded = ["kube-system", self.service.namespace]
        terms = [{"key": _NAMESPACE, "operator": "NotIn", "values": excluded}]
        if self.namespaces:
            terms.append({"key": _NAMESPACE, "operator": "In", "values": list(self.namespaces)})
        return {"matchExpressions": terms}


def webhook_configuration(scope: Scope) -> Json:
    """Return the MutatingWebhookConfiguration."""
    return {
        "apiVersion": _API_VERSION,
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": scope.name, "labels": {APP_LABEL: APP}},
        "webhooks": [
            _entry(scope, "UPDATE", "Fail", _is_of_interest()),
            _entry(scope, "CREATE", "Ignore", _has_ours("object")),
        ],
    }


def fence(scope: Scope, autoscaler: str) -> tuple[Json, Json]:
    """Return the policy that guards sizes and wishes, and its binding.

    Who changes them grows volumes through the operator's rights: so they must have that right
    themselves. The autoscaler may write its own wish, and when it took a step, without it.
    """
    may_patch = (
        "authorizer.group('').resource('persistentvolumeclaims')"
        ".namespace(object.metadata.namespace).check('patch').allowed()"
    )
    is_free = " || ".join(f"k.startsWith({_quoted(key)})" for key in (AUTO_WISH, AUTO_STEPS))
    by_autoscaler = (
        f"(request.userInfo.username == '{autoscaler}' && !({_SIZES_CHANGE}) && "
        f"!({_changes(f'k.startsWith({_quoted(PREFIX)}) && !({is_free})')}))"
    )
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [_rule("UPDATE")],
            "namespaceSelector": scope.selector,
        },
        "matchConditions": [_condition("size-or-wish", f"{_SIZES_CHANGE} || {_ours_change()}")],
        "validations": [
            {
                "expression": f"{may_patch} || {by_autoscaler}",
                "message": (
                    "a claim size or a wish of resize-statefulset-operator may be changed only by "
                    "who may patch persistentvolumeclaims in this namespace"
                ),
                "reason": "Forbidden",
            }
        ],
    }
    name = f"{scope.name}.fence"
    return (
        _object("ValidatingAdmissionPolicy", name, spec),
        _object(
            "ValidatingAdmissionPolicyBinding",
            name,
            {"policyName": name, "validationActions": ["Deny"]},
        ),
    )


def _object(kind: str, name: str, spec: Json) -> Json:
    metadata = {"name": name, "labels": {APP_LABEL: APP}}
    return {"apiVersion": _API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def _entry(scope: Scope, operation: str, failure_policy: str, condition: str) -> Json:
    service = scope.service
    listed = ", ".join(_quoted(user) for user in scope.users)
    return {
        "name": f"{operation.lower()}.{APP}.io",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {
            "service": {
                "name": service.name,
                "namespace": service.namespace,
                "path": PATH,
                "port": 443,
            }
        },
        "rules": [_rule(operation)],
        "failurePolicy": failure_policy,
        "matchPolicy": "Equivalent",
        "namespaceSelector": scope.selector,
        "objectSelector": {},
        "matchConditions": [
            _condition("not-the-operator", f"!(request.userInfo.username in [{listed}])"),
            # The garbage collector frees an orphaned set by an update: it must never wait for us.
            _condition("not-going", "!has(object.metadata.deletionTimestamp)"),
            _condition("of-interest", condition),
        ],
        "reinvocationPolicy": "Never",
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT_SECONDS,
    }


def _condition(name: str, expression: str) -> Json:
    return {"name": name, "expression": expression}


def _rule(operation: str) -> Json:
    return {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "operations": [operation],
        "resources": ["statefulsets"],
        "scope": "Namespaced",
    }


def _is_of_interest() -> str:
    return f"{_SIZES_CHANGE} || {_ours_change()} || {_NOT_DONE}"


def _ours_change() -> str:
    return _changes(f"k.startsWith({_quoted(PREFIX)})")


def _changes(which: str) -> str:
    """Return whether an annotation of these keys is new, gone or another."""
    new, old = _OURS.format("object"), _OURS.format("oldObject")
    return (
        f"{new}.exists(k, {which} && {old}[?k] != {new}[?k]) || "
        f"{old}.exists(k, {which} && {old}[?k] != {new}[?k])"
    )


def _has_ours(which: str) -> str:
    return f"{_OURS.format(which)}.exists(k, k.startsWith({_quoted(PREFIX)}))"


def _quoted(text: str) -> str:
    """Return a string literal of CEL; users' names have no quotes (settings check them)."""
    return f"'{text}'"
