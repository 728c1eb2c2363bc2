"""An answer that is a stream arrives message by message, in every protocol, for as long as it may."""

import json
from uuid import uuid4

from envoy.routes import SECONDS, STREAM_SECONDS
from spotilike.processing.v1.job_service_pb2 import WatchJobsRequest, WatchJobsResponse
from tests.support.echo_services import EchoServices
from tests.support.edge import RunningEdge

WATCH_JOBS = "/spotilike.processing.v1.JobService/WatchJobs"
JSON_PATH = "/v1/jobs:watch"
LATER = SECONDS + 0.5
"""Longer than a call may take that is no stream, in seconds."""


async def test_json_is_one_object_a_line_and_none_waits_for_the_next(edge: RunningEdge, bearer):
    """The stream goes on; compression does not hold it up either."""
    headers = {**bearer, "x-goes-on": "60", "accept-encoding": "gzip"}
    answer = await edge.begin("GET", JSON_PATH, headers=headers)

    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.body.endswith(b"\n")
    assert json.loads(answer.body) == {"jobs": [], "sequence": "0"}


async def test_grpc_web_frames_do_not_wait_for_the_end(edge: RunningEdge, bearer):
    """Browsers see what happens when it happens."""
    headers = {**bearer, "x-goes-on": "60"}
    answer, trailers = await edge.grpc_web(WATCH_JOBS, WatchJobsRequest(), headers, streams=True)

    assert (answer.status, "grpc-status" in trailers) == (200, False)
    assert answer.body == b"\x00\x00\x00\x00\x00"


async def test_a_stream_outlives_calls_and_its_service_learns_how_long_it_may_last(
    edge: RunningEdge, echo: EchoServices, bearer
):
    """Nobody cuts it off after the time of a call."""
    mark = uuid4().hex
    begin = edge.channel.unary_stream(WATCH_JOBS, WatchJobsRequest.SerializeToString, WatchJobsResponse.FromString)
    metadata = [*bearer.items(), ("x-mark", mark), ("x-goes-on", str(LATER))]
    stream = begin(WatchJobsRequest(), metadata=metadata)
    assert await stream.read() == WatchJobsResponse()
    assert await stream.read() == WatchJobsResponse()
    stream.cancel()

    [call] = echo.seen(mark)
    assert call.remaining is not None
    assert STREAM_SECONDS - 10 < call.remaining <= STREAM_SECONDS


async def test_a_refusal_before_the_first_message_has_its_status(edge: RunningEdge):
    """JSON clients see 401 and why, not an empty stream."""
    answer = await edge.begin("GET", JSON_PATH)
    assert (answer.status, answer.reason) == (401, "TOKEN_MISSING")
