"""The rules that wake somebody up, or leave them a note. `docs/operations.md` says what to do about each.

Labels: `job` is the part (`app.kubernetes.io/name` of its pods), `instance` one process of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PAGE, TICKET = "page", "ticket"
"""Now, or on the next working day."""

FAULTS = "UNKNOWN|DEADLINE_EXCEEDED|INTERNAL|UNAVAILABLE|DATA_LOSS|UNIMPLEMENTED"
"""The codes that are our fault; the others are answers."""
BUDGET = 0.001
"""The share of calls that may end with such a code: 99.9 % of a month's calls do not."""
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
BURNS = ((14.4, "1h", "5m", PAGE), (6, "6h", "30m", PAGE), (3, "1d", "2h", TICKET), (1, "3d", "6h", TICKET))
"""How many times faster than allowed the budget is used up, over a long and a short window. 14.4 for an hour uses up a
fiftieth of a month's budget (Google's SRE workbook, chapter 5)."""


@dataclass(frozen=True)
class Alert:
    """A condition that has to be looked after when it holds for some time."""

    name: str
    expression: str
    lasting: str
    severity: str
    summary: str

    def rule(self) -> Mapping[str, Any]:
        """Write it for Prometheus."""
        return {
            "alert": self.name,
            "expr": self.expression,
            "for": self.lasting,
            "labels": {"severity": self.severity},
            "annotations": {"summary": self.summary, "runbook_url": f"docs/operations.md#{self.name.lower()}"},
        }


UPLOADS = (
    Alert(
        "SpotilikeTasksWait",
        "max by (queue) (spotilike_queue_oldest_due_seconds) > 600",
        "5m",
        PAGE,
        "The oldest task of {{ $labels.queue }} has waited for {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "SpotilikeTasksSilent",
        "max by (queue) (spotilike_queue_silent_tasks) > 0",
        "2m",
        PAGE,
        "{{ $value }} tasks of {{ $labels.queue }} have lost their worker and nobody takes them over.",
    ),
    Alert(
        "SpotilikeWorkersDie",
        "sum(increase(spotilike_tasks_taken_over_total[30m])) > 3",
        "0m",
        PAGE,
        "{{ $value | humanize }} workers fell silent over their tasks within half an hour.",
    ),
    Alert(
        "SpotilikeEncodersCrash",
        'sum by (trade) (increase(spotilike_task_attempts_failed_total{reason="ENCODER_CRASHED"}[30m])) > 5',
        "0m",
        TICKET,
        "{{ $value | humanize }} attempts at {{ $labels.trade }} crashed within half an hour.",
    ),
    Alert(
        "SpotilikeScratchFull",
        "min by (instance) (spotilike_worker_scratch_free_bytes) < 2 * 2 ^ 30",
        "5m",
        TICKET,
        "{{ $labels.instance }} has {{ $value | humanize1024 }}B left for masters.",
    ),
    Alert(
        "SpotilikeVolumeFull",
        "min by (persistentvolumeclaim) (kubelet_volume_stats_available_bytes"
        " / kubelet_volume_stats_capacity_bytes) < 0.1",
        "10m",
        PAGE,
        "{{ $labels.persistentvolumeclaim }} is {{ $value | humanizePercentage }} free.",
    ),
)
EVENTS = (
    Alert(
        "SpotilikeOutboxLags",
        "max by (job) (spotilike_outbox_oldest_seconds) > 60",
        "2m",
        PAGE,
        "Facts of {{ $labels.job }} have waited for the broker for {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "SpotilikeConsumerLags",
        "max by (job, stream) (spotilike_consumer_waiting_events) > 1000",
        "5m",
        PAGE,
        "{{ $labels.job }} has {{ $value }} facts of {{ $labels.stream }} still to hear.",
    ),
    Alert(
        "SpotilikeEventsFail",
        'sum by (job, stream) (rate(spotilike_events_heard_total{outcome="failed"}[10m]))'
        " / sum by (job, stream) (rate(spotilike_events_heard_total[10m])) > 0.1",
        "10m",
        TICKET,
        "{{ $value | humanizePercentage }} of what {{ $labels.job }} hears of {{ $labels.stream }} cannot be applied.",
    ),
    Alert(
        "SpotilikeDeadLetters",
        "max(spotilike_dead_letters) > 0 or max by (job) (spotilike_dead_events) > 0",
        "0m",
        TICKET,
        "{{ $value }} jobs or facts were given up and wait for a person.",
    ),
)
CALLS = (
    Alert(
        "SpotilikeCallsSlow",
        "histogram_quantile(0.99, sum by (job, le)"
        ' (rate(grpc_server_handling_seconds_bucket{grpc_type="unary"}[5m]))) > 1',
        "10m",
        TICKET,
        "One of a hundred calls to {{ $labels.job }} takes {{ $value | humanizeDuration }} or more.",
    ),
    Alert(
        "SpotilikeCallsPileUp",
        'max by (job, instance) (grpc_server_in_flight_calls{grpc_type="unary"}) > 160',
        "2m",
        PAGE,
        "{{ $value }} of 200 calls run at once in {{ $labels.instance }}; soon others are refused.",
    ),
    Alert(
        "SpotilikeEdgeFails",
        'sum(rate(envoy_http_downstream_rq_xx{envoy_http_conn_manager_prefix="edge",envoy_response_code_class="5"}[5m]))'
        ' / sum(rate(envoy_http_downstream_rq_xx{envoy_http_conn_manager_prefix="edge"}[5m])) > 0.01',
        "5m",
        PAGE,
        "{{ $value | humanizePercentage }} of the answers of the edge are 5xx.",
    ),
    Alert(
        "SpotilikeStoreFails",
        'sum(rate(envoy_cluster_upstream_rq_xx{envoy_cluster_name=~"store.*",envoy_response_code_class="5"}[5m]))'
        ' / sum(rate(envoy_cluster_upstream_rq_xx{envoy_cluster_name=~"store.*"}[5m])) > 0.01',
        "5m",
        PAGE,
        "The object store answers {{ $value | humanizePercentage }} of the edge's requests with 5xx.",
    ),
)
STATE = (
    Alert(
        "SpotilikePoolFull",
        'max by (job, instance) (spotilike_database_connections{state="used"})'
        " / max by (job, instance) (spotilike_database_connections_limit) > 0.9",
        "5m",
        TICKET,
        "{{ $labels.instance }} uses {{ $value | humanizePercentage }} of its connections to the database.",
    ),
    Alert(
        "SpotilikeSignInsRefused",
        "sum(increase(spotilike_password_queue_refused_total[10m])) > 0",
        "10m",
        TICKET,
        "{{ $value | humanize }} sign-ins were refused within ten minutes: all places to hash are taken.",
    ),
    Alert(
        "SpotilikePlaybackStalls",
        "60 * sum(rate(spotilike_playback_stalls_total[30m]))"
        " / sum(rate(spotilike_playback_heard_seconds_total[30m])) > 0.1",
        "30m",
        TICKET,
        "The sound stops {{ $value | humanize }} times in a minute of listening.",
    ),
    Alert(
        "SpotilikeCertificateEnds",
        "min by (job) (spotilike_certificate_expiry_timestamp_seconds) - time() < 7 * 24 * 3600",
        "1h",
        PAGE,
        "The certificate of {{ $labels.job }} ends in {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "SpotilikeSigningKeyOld",
        "max by (job) (spotilike_signing_key_age_seconds) > 45 * 24 * 3600",
        "1h",
        TICKET,
        "The key of {{ $labels.job }} has been signing for {{ $value | humanizeDuration }}; it was to be replaced.",
    ),
    Alert(
        "SpotilikeLookupsFail",
        "sum by (job) (increase(spotilike_metrics_lookups_failed_total[10m])) > 3",
        "5m",
        TICKET,
        "{{ $labels.job }} cannot find out what it should show.",
    ),
    Alert(
        "SpotilikeShowsNothing",
        "absent(grpc_server_started_total) or absent(spotilike_queue_due_tasks)",
        "5m",
        PAGE,
        "No part shows metrics any more; no other alert can be trusted.",
    ),
)


def _burns() -> Iterator[Alert]:
    for factor, long, short, severity in BURNS:
        limit = f"{factor * BUDGET:.4f}"
        yield Alert(
            f"SpotilikeErrorBudget{long}",
            f"spotilike:call_faults:ratio_rate{long} > {limit} and spotilike:call_faults:ratio_rate{short} > {limit}",
            "2m",
            severity,
            "{{ $value | humanizePercentage }} of the calls to {{ $labels.job }} failed"
            f" within {long}: {factor} times as many as may.",
        )


def _recordings() -> Iterator[Mapping[str, str]]:
    for window in WINDOWS:
        faults = f'sum by (job) (rate(grpc_server_handled_total{{grpc_code=~"{FAULTS}"}}[{window}]))'
        yield {
            "record": f"spotilike:call_faults:ratio_rate{window}",
            "expr": f"{faults} / sum by (job) (rate(grpc_server_handled_total[{window}]))",
        }


ALERTS = (*UPLOADS, *EVENTS, *CALLS, *STATE, *_burns())


def rules() -> Mapping[str, Any]:
    """Write everything as one resource of the Prometheus Operator."""
    groups = {"uploads": UPLOADS, "events": EVENTS, "calls": CALLS, "state": STATE, "error-budget": tuple(_burns())}
    written: list[Mapping[str, Any]] = [{"name": "spotilike-recordings", "rules": list(_recordings())}]
    written += [
        {"name": f"spotilike-{name}", "rules": [alert.rule() for alert in alerts]} for name, alerts in groups.items()
    ]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "spotilike", "labels": {"app.kubernetes.io/part-of": "spotilike"}},
        "spec": {"groups": written},
    }
