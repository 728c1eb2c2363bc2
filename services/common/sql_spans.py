"""Spans of statements: what each did to which table, never with which values."""

import re
from typing import Any

from opentelemetry.trace import Status, StatusCode
from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

from services.common import tracing

LONGEST_TEXT = 2000
TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+(\w+)")


def watch(engine: Engine, database: str) -> None:
    """Record the statements of `engine` as steps of the running traces."""

    @event.listens_for(engine, "before_cursor_execute", named=True)
    def begin(statement: str, context: Any, **_: object) -> None:  # noqa: ANN401 (takes any attribute)
        context.span = tracing.started(summary(statement), _described(statement, database))

    @event.listens_for(engine, "after_cursor_execute", named=True)
    def end(context: Any, **_: object) -> None:  # noqa: ANN401 (as above)
        context.span.end()

    @event.listens_for(engine, "handle_error")
    def fail(failure: ExceptionContext) -> None:
        if span := getattr(failure.execution_context, "span", None):
            span.set_attribute("error.type", type(failure.original_exception).__name__)
            span.set_status(Status(StatusCode.ERROR))
            span.end()


def summary(text: str) -> str:
    """Say in two words what a statement does."""
    verb, table = text.split(maxsplit=1)[0], TABLE.search(text)
    return f"{verb} {table[1]}" if table else verb


def _described(text: str, database: str) -> dict[str, str]:
    return {"db.system.name": "postgresql", "db.namespace": database, "db.query.text": text[:LONGEST_TEXT]}
