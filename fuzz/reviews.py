"""Targets about the webhook: bytes of strangers in, an answer out, and nothing else changed."""

import base64
import re
from typing import Any

import msgspec

from fuzz import words
from fuzz.choices import Choices
from fuzz.sizes import BOUNDS
from rso.app.reviews import API_VERSION, Unreadable, judge, read
from rso.core.admission import review
from rso.core.names import PREFIX
from rso.core.reviewed import Request
from rso.core.rules import Rules

_SIZE = re.compile(r"/spec/volumeClaimTemplates/\d+/spec/resources/requests/storage")
_NAME = re.compile(r"/spec/volumeClaimTemplates/\d+/metadata/name")
_OURS = "/metadata/annotations/" + PREFIX.replace("/", "~1")
_EMPTY = {"op": "add", "path": "/metadata/annotations", "value": {}}


def review_bytes(choices: Choices) -> None:
    """Any body is refused as unreadable, or answered with its uid and a verdict: never a fault."""
    body = choices.blob()
    try:
        request = read(body)
    except Unreadable:
        return
    _, answer = judge(request, _rules(choices))
    response = msgspec.json.decode(answer)["response"]
    assert response["uid"] == request.uid
    assert response["allowed"] or response["status"]["code"] == 400  # noqa: PLR2004  the only one


def review_bodies(choices: Choices) -> None:
    """A body that is nearly a review is one, or is unreadable; a value may be of any type."""
    body = {"apiVersion": API_VERSION, "kind": "AdmissionReview", "request": _request(choices)}
    _put_something(choices, body)
    try:
        request = read(msgspec.json.encode(body))
    except Unreadable:
        return
    _, answer = judge(request, _rules(choices))
    patch = msgspec.json.decode(answer)["response"].get("patch")
    assert patch is None or msgspec.json.decode(base64.b64decode(patch))


def reviewed(choices: Choices) -> None:
    """A verdict is the same each time; a denial says why and changes nothing."""
    request, rules = _asked(choices), _rules(choices)
    if request is None:
        return
    verdict = review(request, rules)
    assert verdict == review(request, rules)
    assert verdict.allowed != bool(verdict.message)
    assert verdict.allowed or not verdict.patch
    assert all(each.isprintable() for each in (verdict.message, *verdict.warnings))


def patched_paths(choices: Choices) -> None:
    """A patch reaches claim sizes and our annotations only, and asks for no smaller template."""
    request = _asked(choices)
    if request is None:
        return
    for operation in review(request, _rules(choices)).patch:
        path = operation["path"]
        if operation["op"] == "test":
            assert _NAME.fullmatch(path)
        else:
            assert _SIZE.fullmatch(path) or path.startswith(_OURS) or operation == _EMPTY


def _asked(choices: Choices) -> Request | None:
    try:
        return msgspec.convert(_request(choices), Request)
    except msgspec.ValidationError:
        return None


def _request(choices: Choices) -> dict[str, Any]:
    new = words.statefulset(choices)
    old = words.statefulset(choices)
    if choices.count(1):
        old["spec"] = msgspec.json.decode(msgspec.json.encode(new["spec"]))
        for template in old["spec"]["volumeClaimTemplates"]:
            _resize(template, words.quantity(choices))
    return {
        "uid": "705ab4f5",
        "kind": {"group": "apps", "version": "v1", "kind": "StatefulSet"},
        "operation": choices.pick(("UPDATE", "CREATE", "DELETE")),
        "options": {"fieldManager": choices.pick(("kubectl-edit", "helm", ""))},
        "object": new,
        "oldObject": old if choices.count(9) else None,
    }


def _resize(template: dict[str, Any], text: str) -> None:
    requests = (template.get("spec") or {}).get("resources")
    if isinstance(requests, dict) and requests.get("requests"):
        requests["requests"]["storage"] = text


def _put_something(choices: Choices, body: dict[str, Any]) -> None:
    """Put a value of another type somewhere into a body."""
    for _ in range(choices.count(2)):
        place: Any = body
        while isinstance(place, dict) and place:
            key = choices.pick(sorted(place))
            if not isinstance(place[key], dict) or choices.count(3) == 0:
                place[key] = choices.pick((None, 0, -1.5, "", [], {}, [[]], {"a": {}}, True))
                break
            place = place[key]


def _rules(choices: Choices) -> Rules:
    return Rules(BOUNDS, "keep" if choices.count(1) else "deny")
