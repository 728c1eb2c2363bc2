"""What the reports of a playback add up to, whatever players send."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.streaming.domain import CARRY, Clock, counts, credit, duration_ms, length, union

DURATION = 100
START = datetime(2026, 1, 1, tzinfo=UTC)

at_any_pace = settings(deadline=None)
stretches = st.lists(st.tuples(st.integers(-10, 120), st.integers(-10, 120)), max_size=30)


def seconds_after(seconds: float) -> datetime:
    """Return a moment after the start."""
    return START + timedelta(seconds=seconds)


@at_any_pace
@given(stretches)
def test_no_more_than_the_track_can_be_heard(reported):
    """Stretches beyond the track, backwards and overlapping ones add up to the track at most."""
    heard = union(reported, DURATION)

    assert 0 <= length(heard) <= DURATION
    assert all(0 <= start < end <= DURATION for start, end in heard)
    assert all(before[1] < after[0] for before, after in pairwise(heard))


@at_any_pace
@given(stretches)
def test_what_was_heard_is_each_moment_of_the_reported_stretches(reported):
    """Millisecond by millisecond the same as a set of them."""
    moments = {moment for start, end in reported for moment in range(max(start, 0), min(end, DURATION))}

    heard = union(reported, DURATION)

    assert {moment for start, end in heard for moment in range(start, end)} == moments


@at_any_pace
@given(stretches, stretches)
def test_a_further_report_never_takes_away(first, second):
    """What was heard stays heard."""
    assert length(union([*first, *second], DURATION)) >= length(union(first, DURATION))


@at_any_pace
@given(stretches, st.randoms())
def test_the_order_of_reports_does_not_matter(reported, chance):
    """Reports that overtake each other or come in pieces lead to the same."""
    shuffled = list(reported)
    chance.shuffle(shuffled)
    half = len(shuffled) // 2

    at_once = union(reported, DURATION)
    in_pieces = union([*union(shuffled[:half], DURATION), *shuffled[half:]], DURATION)

    assert in_pieces == at_once


@at_any_pace
@given(st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 60_000), st.integers(0, 40)), max_size=40))
def test_a_user_is_never_credited_more_than_the_time_that_passed(reports):
    """Two playbacks claim what they like at any moments; together they get the time since the start at most."""
    now, until, total = START, START, 0
    for _, claimed, waited in reports:
        now += timedelta(seconds=waited)
        given_now = credit(claimed, START, Clock(until, now))
        until, total = given_now.credited_until, total + given_now.milliseconds

        assert until <= now
        assert 0 <= given_now.milliseconds <= claimed
        assert timedelta(milliseconds=total) <= now - START


def test_reports_that_arrive_late_by_turns_lose_nothing():
    """The time that the first report leaves over is there for the second."""
    first = credit(15_000, START, Clock(START, seconds_after(15.6)))
    second = credit(15_000, START, Clock(first.credited_until, seconds_after(30.1)))

    assert first.milliseconds + second.milliseconds == 30_000


def test_time_that_nobody_listened_in_is_not_saved_up():
    """After a pause only a few seconds can still be claimed beside what is heard now."""
    first = credit(10_000, START, Clock(START, seconds_after(100)))
    other = credit(30_000, START, Clock(first.credited_until, seconds_after(100)))

    assert first.milliseconds == 10_000
    assert timedelta(milliseconds=other.milliseconds) == CARRY


def test_a_clock_that_steps_back_takes_nothing_and_gives_nothing():
    """A report can be no worth, never a debt."""
    given_now = credit(10_000, START, Clock(seconds_after(20), seconds_after(10)))

    assert given_now.milliseconds == 0
    assert given_now.credited_until == seconds_after(20)


@pytest.mark.parametrize(
    ("listened", "duration", "counted"),
    [
        (29_999, 180_000, False),
        (30_000, 180_000, True),
        (30_000, 30_000, True),
        (11_999, 12_000, False),
        (12_000, 12_000, True),
    ],
)
def test_a_play_counts_from_thirty_seconds_or_the_whole_track(listened, duration, counted):
    """To the millisecond."""
    assert counts(listened, duration) is counted


def test_a_track_is_no_longer_than_its_samples():
    """Whoever heard every sample has heard the whole track."""
    assert duration_ms(samples=132_299, sample_rate_hz=44_100) == 2_999
