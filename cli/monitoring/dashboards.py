"""What somebody looks at when something is wrong, or before it is: four pages for Grafana."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

COLUMNS, WIDTH, HEIGHT = 2, 12, 8
"""Grafana's grid is 24 wide."""
SCHEMA = 39
SOURCE = {"type": "prometheus", "uid": "${source}"}


@dataclass(frozen=True)
class Query:
    """A line, or several, of a panel."""

    expression: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """Lines over time."""

    title: str
    unit: str
    queries: Sequence[Query]

    def written(self, place: int) -> dict[str, Any]:
        """Write it for Grafana, at a place counted from the top left."""
        row, column = divmod(place, COLUMNS)
        return {
            "id": place + 1,
            "type": "timeseries",
            "title": self.title,
            "datasource": SOURCE,
            "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
            "fieldConfig": {"defaults": {"unit": self.unit, "min": 0}, "overrides": []},
            "options": {"tooltip": {"mode": "multi", "sort": "desc"}, "legend": {"showLegend": True}},
            "targets": [
                {"refId": chr(ord("A") + number), "expr": query.expression, "legendFormat": query.legend}
                for number, query in enumerate(self.queries)
            ],
        }


@dataclass(frozen=True)
class Dashboard:
    """A page."""

    uid: str
    title: str
    panels: Sequence[Panel]

    def written(self) -> dict[str, Any]:
        """Write it for Grafana."""
        source = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
        return {
            "uid": self.uid,
            "title": self.title,
            "tags": ["spotilike"],
            "schemaVersion": SCHEMA,
            "editable": False,
            "refresh": "30s",
            "time": {"from": "now-3h", "to": "now"},
            "templating": {"list": [source]},
            "panels": [panel.written(place) for place, panel in enumerate(self.panels)],
        }


def _quantiles(metric: str, by: str, matching: str = "") -> Iterator[Query]:
    for quantile in (0.5, 0.99):
        rate = f"sum by ({by}, le) (rate({metric}_bucket{matching}[$__rate_interval]))"
        legend = " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(","))
        yield Query(f"histogram_quantile({quantile}, {rate})", f"{legend} p{quantile * 100:.0f}")


_UNARY = '{grpc_type="unary"}'
_EDGE = 'envoy_http_conn_manager_prefix="edge"'

CALLS = Dashboard(
    "spotilike-calls",
    "Spotilike: calls",
    [
        Panel(
            "Answers of the edge",
            "reqps",
            [
                Query(
                    "sum by (envoy_response_code_class)"
                    f" (rate(envoy_http_downstream_rq_xx{{{_EDGE}}}[$__rate_interval]))",
                    "{{envoy_response_code_class}}xx",
                )
            ],
        ),
        Panel(
            "Requests under way at the edge",
            "short",
            [Query(f"sum(envoy_http_downstream_rq_active{{{_EDGE}}})", "requests")],
        ),
        Panel(
            "Calls",
            "reqps",
            [Query("sum by (job) (rate(grpc_server_started_total[$__rate_interval]))", "{{job}}")],
        ),
        Panel(
            "Calls that ended badly",
            "reqps",
            [
                Query(
                    'sum by (job, grpc_code) (rate(grpc_server_handled_total{grpc_code!="OK"}[$__rate_interval]))',
                    "{{job}} {{grpc_code}}",
                )
            ],
        ),
        Panel("How long calls take", "s", list(_quantiles("grpc_server_handling_seconds", "job", _UNARY))),
        Panel("How long each RPC takes", "s", list(_quantiles("grpc_server_handling_seconds", "grpc_method", _UNARY))),
        Panel(
            "Calls and streams that run",
            "short",
            [Query("sum by (job, grpc_type) (grpc_server_in_flight_calls)", "{{job}} {{grpc_type}}")],
        ),
        Panel(
            "Error budget used, times as fast as allowed",
            "short",
            [Query("spotilike:call_faults:ratio_rate1h / 0.001", "{{job}}")],
        ),
    ],
)
UPLOADS = Dashboard(
    "spotilike-uploads",
    "Spotilike: uploads",
    [
        Panel(
            "Tasks",
            "short",
            [
                Query("max by (queue) (spotilike_queue_due_tasks)", "{{queue}} due"),
                Query("max by (queue) (spotilike_queue_postponed_tasks)", "{{queue}} postponed"),
                Query("max by (queue) (spotilike_queue_running_tasks)", "{{queue}} running"),
                Query("max by (queue) (spotilike_queue_silent_tasks)", "{{queue}} silent"),
            ],
        ),
        Panel(
            "How long the oldest task waits",
            "s",
            [Query("max by (queue) (spotilike_queue_oldest_due_seconds)", "{{queue}}")],
        ),
        Panel(
            "Workers",
            "short",
            [
                Query("sum(spotilike_worker_busy)", "busy"),
                Query("count(spotilike_worker_busy)", "all"),
                Query("sum(increase(spotilike_tasks_taken_over_total[1h]))", "fell silent within an hour"),
            ],
        ),
        Panel(
            "How attempts end",
            "short",
            [
                Query(
                    "sum by (trade, outcome) (increase(spotilike_task_seconds_count[$__rate_interval]))",
                    "{{trade}} {{outcome}}",
                )
            ],
        ),
        Panel("How long the stages take", "s", list(_quantiles("spotilike_task_stage_seconds", "trade, stage"))),
        Panel(
            "Why attempts fail",
            "short",
            [
                Query(
                    "sum by (reason) (increase(spotilike_task_attempts_failed_total[$__rate_interval]))",
                    "{{reason}}",
                )
            ],
        ),
        Panel(
            "Free space for masters",
            "bytes",
            [Query("min by (instance) (spotilike_worker_scratch_free_bytes)", "{{instance}}")],
        ),
        Panel(
            "Given up",
            "short",
            [
                Query("max(spotilike_dead_letters)", "dead letters"),
                Query("max by (job) (spotilike_dead_events)", "{{job}} events"),
            ],
        ),
    ],
)
EVENTS = Dashboard(
    "spotilike-events",
    "Spotilike: events",
    [
        Panel(
            "Facts in outboxes",
            "short",
            [Query("max by (job) (spotilike_outbox_waiting_events)", "{{job}}")],
        ),
        Panel(
            "How long the oldest of them waits",
            "s",
            [Query("max by (job) (spotilike_outbox_oldest_seconds)", "{{job}}")],
        ),
        Panel(
            "Facts still to be heard",
            "short",
            [
                Query("max by (job, stream) (spotilike_consumer_waiting_events)", "{{job}} of {{stream}}"),
                Query("max by (job, stream) (spotilike_consumer_unanswered_events)", "{{job}} of {{stream}}, begun"),
            ],
        ),
        Panel(
            "From a fact's transaction to its effect",
            "s",
            list(_quantiles("spotilike_event_delay_seconds", "job, stream")),
        ),
        Panel(
            "Facts told",
            "ops",
            [Query("sum by (job) (rate(spotilike_events_published_total[$__rate_interval]))", "{{job}}")],
        ),
        Panel(
            "Facts heard",
            "ops",
            [
                Query(
                    "sum by (job, outcome) (rate(spotilike_events_heard_total[$__rate_interval]))",
                    "{{job}} {{outcome}}",
                )
            ],
        ),
    ],
)
LISTENERS = Dashboard(
    "spotilike-listeners",
    "Spotilike: listeners and processes",
    [
        Panel(
            "Playbacks",
            "ops",
            [
                Query("sum(rate(spotilike_playbacks_started_total[$__rate_interval]))", "started"),
                Query(
                    "sum by (ended_by, counted) (rate(spotilike_playbacks_ended_total[$__rate_interval]))",
                    "ended by {{ended_by}}, counted: {{counted}}",
                ),
            ],
        ),
        Panel(
            "Stalls in a minute of listening",
            "short",
            [
                Query(
                    "60 * sum(rate(spotilike_playback_stalls_total[30m]))"
                    " / sum(rate(spotilike_playback_heard_seconds_total[30m]))",
                    "stalls",
                )
            ],
        ),
        Panel(
            "Places to hash passwords",
            "short",
            [
                Query("sum(spotilike_password_queue_places_taken)", "taken"),
                Query("sum(spotilike_password_queue_places_limit)", "all"),
                Query("sum(increase(spotilike_password_queue_refused_total[$__rate_interval]))", "refused"),
            ],
        ),
        Panel(
            "Connections to databases",
            "short",
            [
                Query("sum by (job, state) (spotilike_database_connections)", "{{job}} {{state}}"),
                Query("sum by (job) (spotilike_database_connections_limit)", "{{job}} limit"),
            ],
        ),
        Panel(
            "Processor",
            "short",
            [Query("sum by (job) (rate(process_cpu_seconds_total[$__rate_interval]))", "{{job}}")],
        ),
        Panel("Memory", "bytes", [Query("sum by (job) (process_resident_memory_bytes)", "{{job}}")]),
        Panel(
            "Time until certificates end",
            "s",
            [Query("min by (job) (spotilike_certificate_expiry_timestamp_seconds) - time()", "{{job}}")],
        ),
        Panel(
            "Age of signing keys",
            "s",
            [Query("max by (job) (spotilike_signing_key_age_seconds)", "{{job}}")],
        ),
    ],
)

DASHBOARDS = (CALLS, UPLOADS, EVENTS, LISTENERS)
