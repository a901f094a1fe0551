"""All targets by name, and the bytes that a coverage-guided engine begins with."""

import time
from collections.abc import Callable

import msgspec

from fuzz import reviews, sizes, stored, usages
from fuzz.choices import Choices
from rso.app.reviews import API_VERSION

Target = Callable[[Choices], None]
# CPU seconds of one input; of the wall clock a loaded machine takes any amount.
MOST_SECONDS = 1.0

_ALL: tuple[Target, ...] = (
    sizes.quantity_readers,
    sizes.quantity_in_the_cluster,
    sizes.policy_annotations,
    sizes.scaling_annotations,
    sizes.times,
    reviews.review_bytes,
    reviews.review_bodies,
    reviews.reviewed,
    reviews.patched_paths,
    stored.claim_names,
    stored.backup_headers,
    stored.backup_envelopes,
    stored.watch_lines,
    stored.objects,
    usages.kubelet_summaries,
    usages.df_lines,
    usages.prometheus_answers,
)
TARGETS: dict[str, Target] = {each.__name__.replace("_", "-"): each for each in _ALL}


def play(name: str, choices: Choices) -> None:
    """Play one input of a target.

    Raises: AssertionError, when its property does not hold, also that of time; whatever it raises.
    """
    began = time.thread_time()
    TARGETS[name](choices)
    seconds = time.thread_time() - began
    assert seconds < MOST_SECONDS, f"one input took {seconds:.1f} s"


def seeds(name: str) -> list[bytes]:
    """Return inputs to begin with: where only bytes are chosen, good ones are hard to guess."""
    return _SEEDS.get(name, [])


def promise(name: str) -> str:
    """Return what a target promises."""
    return (TARGETS[name].__doc__ or "").strip()


_REVIEW = {
    "apiVersion": API_VERSION,
    "kind": "AdmissionReview",
    "request": {
        "uid": "1",
        "kind": {"group": "apps", "version": "v1", "kind": "StatefulSet"},
        "operation": "CREATE",
        "object": {
            "metadata": {
                "name": "db",
                "annotations": {"resize-statefulset-operator/resize-0": "2Gi"},
            },
            "spec": {
                "volumeClaimTemplates": [
                    {
                        "metadata": {"name": "data"},
                        "spec": {"resources": {"requests": {"storage": "1Gi"}}},
                    }
                ]
            },
        },
    },
}
_SUMMARY = {
    "node": {"nodeName": "node-0"},
    "pods": [
        {
            "podRef": {"name": "db-0", "namespace": "shop", "uid": "p"},
            "volume": [
                {
                    "time": "2026-11-01T12:00:00Z",
                    "capacityBytes": 1,
                    "usedBytes": 1,
                    "availableBytes": 0,
                    "pvcRef": {"name": "data-db-0", "namespace": "shop"},
                }
            ],
        }
    ],
}
_SEEDS = {
    "review-bytes": [msgspec.json.encode(_REVIEW)],
    "kubelet-summaries": [msgspec.json.encode(_SUMMARY)],
    "watch-lines": [b'\x02\x05\x05{"type":"ADDED","object":{}}\n{"type":"DELETED"}\n'],
}
