"""The words that others depend on: annotation and label keys, reasons, the field manager.

Nothing else in the project may spell them.
"""

from enum import StrEnum

APP = "resize-statefulset-operator"
FIELD_MANAGER = APP
PREFIX = f"{APP}/"

# Annotations of a StatefulSet
WISH_BY_INDEX = f"{PREFIX}resize-"
WISH_BY_NAME = f"{PREFIX}resize."
AUTO_WISH = f"{PREFIX}auto-resize-"
AUTO_STEPS = f"{PREFIX}auto-steps-"
DECLARED = f"{PREFIX}declared-"
AUTO_SCALED = f"{PREFIX}auto-scaled"
MAX_SIZE = f"{PREFIX}max-size"
GROW_AT = f"{PREFIX}grow-at"
GROW_AT_INODES = f"{PREFIX}grow-at-inodes"
GROW_BY = f"{PREFIX}grow-by"
GROW_MIN = f"{PREFIX}grow-min"
GROW_MAX = f"{PREFIX}grow-max"
COOLDOWN = f"{PREFIX}cooldown"
CHECKS = f"{PREFIX}checks"
STEPS_PER_DAY = f"{PREFIX}steps-per-day"
ON_SMALLER = f"{PREFIX}on-smaller"
RECREATE = f"{PREFIX}recreate"
PAUSED = f"{PREFIX}paused"
OFFLINE = f"{PREFIX}offline"
CONFIRM = f"{PREFIX}confirm"
WHEN_DELETED = f"{PREFIX}when-deleted"
STATUS = f"{PREFIX}status"

# Annotation of a claim
GROWN_AT = f"{PREFIX}grown-at"

# Labels and annotations of a backup
APP_LABEL = "app.kubernetes.io/name"
COMPONENT_LABEL = "app.kubernetes.io/component"
BACKUP_COMPONENT = "backup"
NAMESPACE_HASH_LABEL = f"{PREFIX}namespace-hash"
PHASE_LABEL = f"{PREFIX}phase"
SUCCESSOR = f"{PREFIX}successor"
SUPERSEDED_AT = f"{PREFIX}superseded-at"
ATTEMPT = f"{PREFIX}attempt"
BACKUP_SELECTOR = f"{APP_LABEL}={APP},{COMPONENT_LABEL}={BACKUP_COMPONENT}"

# Finalizers that the orphan delete itself brings
ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
OWN_FINALIZERS = frozenset({ORPHAN, FOREGROUND})


class Phase(StrEnum):
    """What a backup is there for; a backup without a phase is only a copy."""

    DELETING = "deleting"
    SUPERSEDED = "superseded"


class Reason(StrEnum):
    """Why a set does not go on: the same word in status, Event, metric and runbook."""

    OWNED_BY_CONTROLLER = "OwnedByController"
    FOREIGN_FINALIZER = "ForeignFinalizer"
    NOT_EXPANDABLE = "NotExpandable"
    NO_CLASS = "NoClass"
    UNBOUND = "Unbound"
    QUOTA_FULL = "QuotaFull"
    OVER_BOUND = "OverBound"
    STEP_TOO_BIG = "StepTooBig"
    MALFORMED = "Malformed"
    UNKNOWN_TEMPLATE = "UnknownTemplate"
    NO_KEY = "NoKey"
    TOO_LARGE = "TooLarge"
    ADMISSION_REFUSES = "AdmissionRefuses"
    CANNOT_PROVE = "CannotProve"
    INFEASIBLE = "Infeasible"
    NEEDS_DOWNTIME = "NeedsDowntime"
    CANNOT_EVICT = "CannotEvict"
    NOT_QUIET = "NotQuiet"
    ROLLING_UPDATE = "RollingUpdate"
    NAME_TAKEN = "NameTaken"
    BACKUP_UNREADABLE = "BackupUnreadable"
    PAUSED = "Paused"
    STUCK = "Stuck"
    AT_LIMIT = "AtLimit"


# These end by themselves or by the same person's next step: `Waiting:`, all others `Blocked:`.
WAITING = frozenset({Reason.UNBOUND, Reason.NOT_QUIET, Reason.ROLLING_UPDATE, Reason.PAUSED})


class Hold(StrEnum):
    """Why the autoscaler takes no step: a closed list, the label of its metric.

    Beginning with the one that most needs a person's eyes, for a template whose claims differ.
    """

    PAUSED = "Paused"
    BLOCK_MODE = "BlockMode"
    NO_CLAIMS = "NoClaims"
    NO_PODS = "NoPods"
    INFEASIBLE = "Infeasible"
    RESIZE_IN_FLIGHT = "ResizeInFlight"
    AT_LIMIT = "AtLimit"
    STEPS_PER_DAY = "StepsPerDay"
    COOLDOWN = "Cooldown"
    ONE_CHECK = "OneCheck"
    DISTRUSTED_UID = "DistrustedUid"
    DISTRUSTED_NAN = "DistrustedNan"
    DISTRUSTED_NEGATIVE = "DistrustedNegative"
    DISTRUSTED_FUTURE = "DistrustedFuture"
    DISTRUSTED_STALE = "DistrustedStale"
    DISTRUSTED_USED = "DistrustedUsedOverCapacity"
    DISTRUSTED_INCOMPLETE = "DistrustedIncomplete"
    DISTRUSTED_CAPACITY = "DistrustedCapacity"
    NOT_YET_VISIBLE = "NotYetVisible"
    NO_USAGE = "NoUsage"
    BELOW_THRESHOLD = "BelowThreshold"


class Note(StrEnum):
    """Reasons of Events that report a step or a surprise, beside the reasons above."""

    GROWING = "Growing"
    RECREATED = "Recreated"
    RESIZED = "Resized"
    POD_EVICTED = "PodEvicted"
    PODS_CHANGED = "PodsChanged"
    STALE_REFERENCE = "StaleReference"
    NAMESPACE_GONE = "NamespaceGone"
    BACKUP_DROPPED = "BackupDropped"


class Wished(StrEnum):
    """Reasons of Events about the autoscaler's wish."""

    RAISED = "WishRaised"
    LOWERED = "WishLowered"
    WITHDRAWN = "WishWithdrawn"


def is_ours(key: str) -> bool:
    """Return whether an annotation or label key belongs to this operator."""
    return key.startswith(PREFIX)


def is_declared(key: str) -> bool:
    """Return whether an annotation holds the size that the manifests last said."""
    return key.startswith(DECLARED)
