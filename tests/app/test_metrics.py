"""Metrics: closed lists at zero from the start, bounded series, one registry each."""

from pathlib import Path
from typing import get_args

import pytest
from prometheus_client import CollectorRegistry

from rso.app import scaler_metrics
from rso.app.meters import CODES, markdown
from rso.app.metric_table import (
    MAX_SET_SERIES,
    QUANTITIES,
    REQUESTS,
    TABLE,
    Recreation,
    Result,
    State,
)
from rso.app.metrics import Metrics
from rso.core.names import Note, Reason

PAGE = Path(__file__).parents[2] / "docs" / "user" / "metrics.md"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Metrics:
    return Metrics(registry)


def lines(metrics: Metrics) -> list[str]:
    """Return the series as they are served, without the help."""
    return [line for line in metrics.render().decode().splitlines() if not line.startswith("#")]


def own(registry: CollectorRegistry) -> dict[str, float]:
    """Return our series that are not zero: {series: value}."""
    return {
        f"{sample.name}{sorted(sample.labels.items()) or ''}": sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name.startswith("rso_") and sample.value and "bucket" not in sample.name
    }


def test_every_series_of_a_closed_list_starts_at_zero(registry: CollectorRegistry) -> None:
    """At start each label value of a closed list has a series, and all but the build are zero."""
    text = Metrics(registry).render().decode()
    values = [
        *get_args(Result),
        *get_args(Recreation),
        *get_args(State),
        QUANTITIES,
        *Reason,
        *Note,
    ]
    missing = [value for value in values if f'="{value}"' not in text]

    assert not missing
    assert {"rso_build_info"} >= {name.partition("[")[0] for name in own(registry)}


def test_every_request_of_the_resizer_starts_at_zero(registry: CollectorRegistry) -> None:
    """The first failure of any request is an increase, which an alert can see."""
    Metrics(registry)
    asked = {(verb, resource) for resource, verbs in REQUESTS.items() for verb in verbs}
    series = [
        registry.get_sample_value(
            "rso_requests_total", {"verb": verb, "resource": resource, "code": code}
        )
        for verb, resource in asked
        for code in CODES
    ]

    assert [0.0] * len(series) == series


def test_every_row_of_the_table_is_served(metrics: Metrics) -> None:
    """Each metric of the table has its help and its type in the answer."""
    text = metrics.render().decode()
    missing = [row.name for row in TABLE if f"# TYPE {row.name} {row.kind}" not in text]

    assert not missing


def test_what_happens_is_counted(metrics: Metrics, registry: CollectorRegistry) -> None:
    """Each method moves its own series, in base units."""
    metrics.reconciled("step", 0.5)
    metrics.follow_queue(lambda: 7)
    metrics.claim_grown(2**30)
    metrics.recreated("recovered")
    metrics.absent_for(0.04)
    metrics.absent_now(1)
    metrics.pods_changed(2)
    metrics.backups({"deleting": 3}, unreadable=4)
    metrics.keys_readable(readable=True)
    metrics.leading(leads=True)
    metrics.watch_restarted("configmaps")
    metrics.undecodable("statefulsets")
    metrics.event(Note.RECREATED)
    counted = own(registry)
    counted.pop(next(name for name in counted if "build_info" in name))
    expected = {
        "rso_reconciles_total[('result', 'step')]": 1,
        "rso_reconcile_seconds_count": 1,
        "rso_reconcile_seconds_sum": 0.5,
        "rso_queue_depth": 7,
        "rso_claims_grown_total": 1,
        "rso_claims_grown_bytes_total": 2**30,
        "rso_recreates_total[('result', 'recovered')]": 1,
        "rso_statefulset_absence_seconds_count": 1,
        "rso_statefulset_absence_seconds_sum": 0.04,
        "rso_absent_statefulsets": 1,
        "rso_pods_changed_total": 2,
        "rso_backups[('phase', 'deleting')]": 3,
        "rso_unreadable_backups": 4,
        "rso_keys_readable": 1,
        "rso_leader": 1,
        "rso_watch_restarts_total[('kind', 'configmaps')]": 1,
        "rso_undecodable_objects_total[('kind', 'statefulsets')]": 1,
        "rso_events_total[('reason', 'Recreated')]": 1,
    }

    assert expected == counted


def test_a_phase_without_backups_goes_back_to_zero(
    metrics: Metrics, registry: CollectorRegistry
) -> None:
    """Backups are noted as a whole: what is not named is not there."""
    metrics.backups({"deleting": 3}, unreadable=1)
    metrics.backups({"saved": 1}, unreadable=0)

    assert registry.get_sample_value("rso_backups", {"phase": "deleting"}) == 0
    assert registry.get_sample_value("rso_backups", {"phase": "saved"}) == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [(200, "2xx"), (409, "409"), (418, "4xx"), (429, "429"), (503, "5xx"), (None, "unreachable")],
)
def test_requests_are_counted_by_class(
    metrics: Metrics, registry: CollectorRegistry, status: int | None, code: str
) -> None:
    """An answer counts in its class; with the first one all classes of that request begin at 0."""
    metrics.requested("patch", "statefulsets", status, 0.1)
    labels = {"verb": "patch", "resource": "statefulsets"}

    assert registry.get_sample_value("rso_requests_total", {**labels, "code": code}) == 1
    assert registry.get_sample_value("rso_requests_total", {**labels, "code": "403"}) == 0
    assert registry.get_sample_value("rso_request_seconds_count", {"verb": "patch"}) == 1


def test_the_length_of_watches_is_not_measured(
    metrics: Metrics, registry: CollectorRegistry
) -> None:
    """A watch is counted, but its minutes say nothing about the server."""
    metrics.requested("watch", "statefulsets", 200, 300)

    assert registry.get_sample_value("rso_request_seconds_count", {"verb": "watch"}) is None


def test_sets_are_counted_by_state(metrics: Metrics) -> None:
    """A set counts once, in its last state; a set that is not done has a series of its own."""
    metrics.saw("shop", "db", "growing")
    metrics.saw("shop", "db", "blocked", Reason.QUOTA_FULL)
    metrics.saw("shop", "cache", "done")
    metrics.saw("shop", "gone", "growing")
    metrics.forget("shop", "gone")
    metrics.forget("shop", "never seen")
    served = lines(metrics)
    own_series = [line for line in served if line.startswith("rso_statefulset_state")]
    expected = [
        'rso_statefulset_state{name="db",namespace="shop",phase="blocked",reason="QuotaFull"} 1.0'
    ]

    assert expected == own_series
    assert 'rso_statefulsets{phase="blocked"} 1.0' in served
    assert 'rso_statefulsets{phase="growing"} 0.0' in served
    assert 'rso_statefulsets{phase="done"} 1.0' in served
    assert 'rso_blocked_statefulsets{reason="QuotaFull"} 1.0' in served


def test_series_of_sets_are_bounded(metrics: Metrics) -> None:
    """However many sets are not done, at most 1,000 have a series; all are counted."""
    for number in range(MAX_SET_SERIES + 5):
        metrics.saw("shop", f"db-{number}", "waiting", Reason.NOT_QUIET)
    served = lines(metrics)

    assert len([line for line in served if "rso_statefulset_state" in line]) == MAX_SET_SERIES
    assert f'rso_statefulsets{{phase="waiting"}} {MAX_SET_SERIES + 5}.0' in served


def test_two_operators_do_not_share_metrics(metrics: Metrics) -> None:
    """Operators in one process count each for itself."""
    other = CollectorRegistry()
    Metrics(other)
    metrics.leading(leads=True)

    assert other.get_sample_value("rso_leader") == 0


def test_the_guide_has_the_table() -> None:
    """The page for users lists the metrics as they are; `python -m rso.app.metrics` prints them."""
    page = PAGE.read_text(encoding="utf-8")
    assert markdown(TABLE) in page
    assert markdown(scaler_metrics.TABLE) in page
