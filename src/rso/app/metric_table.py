"""The table of the resizer's metrics: names, types, labels and what they mean."""

from typing import Literal, get_args

from rso.app.meters import WORK_BUCKETS, Metric, common
from rso.core.names import Note, Reason

MAX_SET_SERIES = 1000  # T18

Result = Literal["step", "ask", "wait", "blocked", "done", "conflict", "error"]
Recreation = Literal["done", "recovered", "name_taken"]
State = Literal["growing", "waiting", "blocked", "done"]
BackupPhase = Literal["saved", "deleting", "superseded"]

QUANTITIES = "quantities"  # sizes inside an object that could itself be read
_KINDS = ("statefulsets", "persistentvolumeclaims", "configmaps")
_EVENTS = (*(each.value for each in Reason), *(each.value for each in Note))
# What the resizer asks for: {resource: verbs}. SECURITY.md says what for.
REQUESTS = {
    "statefulsets": ("get", "list", "watch", "create", "patch", "delete"),
    "persistentvolumeclaims": ("get", "list", "watch", "patch"),
    "configmaps": ("get", "list", "watch", "create", "patch", "delete"),
    "pods": ("list",),
    "pods/eviction": ("create",),
    "controllerrevisions": ("list",),
    "resourcequotas": ("list",),
    "persistentvolumes": ("get",),
    "storageclasses": ("get",),
    "namespaces": ("get",),
    "events": ("create", "patch"),
    "leases": ("get", "create", "update"),
}
REASONS = tuple(each.value for each in Reason)
# The target is 0.1 s; beyond 60 s a person is needed.
_ABSENCE_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

TABLE = (
    Metric(
        "rso_reconciles_total",
        "counter",
        "Looks at a set, by what came of it: one step done, a question asked, waiting, blocked, "
        "nothing to do, a conflict (normal: it is looked at again), or an error.",
        {"result": get_args(Result)},
    ),
    Metric("rso_reconcile_seconds", "histogram", "Time of one look.", {}, WORK_BUCKETS),
    Metric("rso_queue_depth", "gauge", "Sets that wait for a worker."),
    Metric("rso_claims_grown_total", "counter", "Claims whose request was raised."),
    Metric("rso_claims_grown_bytes_total", "counter", "Bytes by which requests were raised."),
    Metric(
        "rso_recreates_total",
        "counter",
        "Sets that were replaced: in one go, recovered from a backup after a crash, or found "
        "replaced by somebody else.",
        {"result": get_args(Recreation)},
    ),
    Metric(
        "rso_statefulset_absence_seconds",
        "histogram",
        "Time from the delete of a set to its create.",
        {},
        _ABSENCE_BUCKETS,
    ),
    Metric("rso_absent_statefulsets", "gauge", "Sets that are deleted by us and not yet back."),
    Metric(
        "rso_pods_changed_total", "counter", "Pods found changed after a recreate; never by us."
    ),
    Metric(
        "rso_pods_evicted_total",
        "counter",
        "Pods evicted so that their filesystems grow, of sets with the annotation offline: evict.",
    ),
    Metric(
        "rso_statefulsets",
        "gauge",
        "Sets with a wish, by state.",
        {"phase": get_args(State)},
        is_computed=True,
    ),
    Metric(
        "rso_blocked_statefulsets",
        "gauge",
        "Sets that wait or are blocked, by reason; each has a page in the runbook.",
        {"reason": REASONS},
        is_computed=True,
    ),
    Metric(
        "rso_statefulset_state",
        "gauge",
        f"1 for each set that is not done; at most {MAX_SET_SERIES} sets, in the order of names.",
        {"namespace": (), "name": (), "phase": (), "reason": ()},
        is_computed=True,
    ),
    Metric("rso_backups", "gauge", "Backups that are kept.", {"phase": get_args(BackupPhase)}),
    Metric("rso_unreadable_backups", "gauge", "Backups that cannot be opened; a person is needed."),
    Metric("rso_keys_readable", "gauge", "1 if backups can be sealed; 0: no set is recreated."),
    *common((*_KINDS, QUANTITIES), _KINDS, _EVENTS),
)
