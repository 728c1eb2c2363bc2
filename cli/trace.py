"""`trace`: what one upload set in motion, step by step, from the files of traces."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

import psycopg
import typer

from cli.engines.data import DataFolder
from cli.engines.running import running_postgres
from cli.problem import Problem
from services.common.trace_files import FinishedSpan, read

_TRACE_ID_LENGTH = 32
_FOUND = """
    SELECT traceparent FROM processing_jobs WHERE id = %(id)s UNION SELECT traceparent FROM pictures WHERE id = %(id)s
"""


def trace(data: DataFolder, name: str) -> None:
    """Print the trace with this id, or that of this upload, job or artwork."""
    trace_id = name if len(name) == _TRACE_ID_LENGTH else _trace_of(data, name)
    spans = [span for span in read(data.path / "traces") if span.trace_id == trace_id]
    if not spans:
        raise Problem(f"No span of the trace {trace_id} was written (yet): spans are written every few seconds.")
    typer.echo(f"trace {trace_id}, {len(spans)} spans")
    for line in tree(spans):
        typer.echo(line)


def tree(spans: Sequence[FinishedSpan]) -> Iterator[str]:
    """Write every step below the one that set it in motion: begin and length in milliseconds, service and name."""
    known = {span.span_id for span in spans}
    below: Mapping[str, list[FinishedSpan]] = defaultdict(list)
    for span in spans:
        below[span.parent_id if span.parent_id in known else ""].append(span)

    def lines(parent: str, depth: int) -> Iterator[str]:
        for span in below[parent]:
            begin, length = (span.start_ns - spans[0].start_ns) / 1e6, (span.end_ns - span.start_ns) / 1e6
            mark = " (failed)" if span.failed else ""
            yield f"{begin:9.1f} {length:9.1f}  {'  ' * depth}{span.service}: {span.name}{mark}"
            yield from lines(span.span_id, depth + 1)

    yield f"{'begin ms':>9} {'took ms':>9}"
    yield from lines("", 0)


def _trace_of(data: DataFolder, name: str) -> str:
    try:
        task = UUID(name.rsplit("/", 1)[-1])
    except ValueError:
        raise Problem(f"{name} is neither the id of a trace nor that of an upload, a job or an artwork.") from None
    with psycopg.connect(running_postgres(data).url("processing_owner", "processing_db")) as database:
        row = database.execute(_FOUND, {"id": task}).fetchone()
    if row is None or row[0] is None:
        raise Problem(f"No trace of {name} was recorded: set OTEL_TRACES_EXPORTER=file before ./spotilike up.")
    return str(row[0].split("-")[1])
