"""The bytes of the admission API: an AdmissionReview in, an AdmissionReview out.

Source: k8s.io/api/admission/v1, and `VerifyAdmissionResponse` of Kubernetes' apiserver: the uid is
copied, patch and patchType come together.
"""

import base64
from http import HTTPStatus
from typing import Any

import msgspec

from rso.core.admission import review
from rso.core.reviewed import Request, Review
from rso.core.rules import Rules
from rso.core.verdict import BAD_REQUEST, Verdict

_DECODER = msgspec.json.Decoder(Review)
_ENCODER = msgspec.json.Encoder()
API_VERSION = "admission.k8s.io/v1"
# What the API server passes on to a client is cut there anyway (its own limit: 4,096 in all).
_MOST_WARNINGS = 16


class Unreadable(Exception):
    """A body that is no AdmissionReview of this version. Its text says why."""


def read(body: bytes) -> Request:
    """Return the request of a review.

    Raises: Unreadable.
    """
    try:
        found = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise Unreadable(f"no AdmissionReview: {type(fault).__name__}") from None
    if (found.api_version, found.kind) != (API_VERSION, "AdmissionReview"):
        raise Unreadable(f"no AdmissionReview of {API_VERSION}")
    return found.request


def judge(request: Request, rules: Rules) -> tuple[Verdict, bytes]:
    """Return what becomes of a request, and the body that says so."""
    verdict = review(request, rules)
    response: dict[str, Any] = {"uid": request.uid, "allowed": verdict.allowed}
    if verdict.warnings:
        response["warnings"] = verdict.warnings[:_MOST_WARNINGS]
    if verdict.patch:
        patch = base64.b64encode(_ENCODER.encode(verdict.patch)).decode()
        response |= {"patchType": "JSONPatch", "patch": patch}
    if not verdict.allowed:
        reason = HTTPStatus(BAD_REQUEST).phrase.replace(" ", "")
        response["status"] = {
            "code": BAD_REQUEST,
            "reason": reason,
            "message": verdict.message,
        }
    answer = {"apiVersion": API_VERSION, "kind": "AdmissionReview", "response": response}
    return verdict, _ENCODER.encode(answer)
