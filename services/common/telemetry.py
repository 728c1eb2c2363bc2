"""Logs: one JSON object a line, or coloured text where a person looks at a terminal.

Beside them, where somebody wants them, traces and metrics.
"""

import logging
import sys

import structlog

from services.common import metrics, tracing
from services.common.settings import MetricsSettings, TracingSettings, load


def configure(service: str) -> None:
    """Send structured logs of `service` to standard output, with the place in the trace where one is recorded."""
    tracing.configure(service, load(TracingSettings))
    metrics.configure(load(MetricsSettings))
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if sys.stdout.isatty():
        renderer = structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            *([tracing.to_log] if tracing.is_on() else []),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(levelname)s %(name)s %(message)s")
