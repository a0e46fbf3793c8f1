"""How long an event waits for its next attempt: the tables."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from triggers import backoff
from triggers.backoff import NONE, PATIENT, QUICK, Retries, RetriesError

NOW = datetime(2026, 3, 26, 14, 32, tzinfo=UTC)


def seconds_after(retries: Retries, attempt: int, **what: object) -> float | None:
    wait = backoff.wait_after(retries, attempt, **what)  # type: ignore[arg-type]
    return None if wait is None else wait.total_seconds()


# --- The plan ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retries", "waits"),
    [
        (NONE, [None, None]),
        (QUICK, [1, 5, 15, None]),
        (PATIENT, [5, 30, 120, 600, 1800, 3600, None]),
        (Retries((5, 30, 120)), [5, 30, 120, None, None]),
        (Retries(backoff.growing(5, 10, 2, 60)), [10, 20, 40, 60, 60, None]),
        (Retries(backoff.growing(3, 1.5, 1, 10)), [1.5, 1.5, 1.5, None]),
        (Retries(backoff.growing(0, 1, 1, 1)), [None]),
    ],
)
def test_each_retry_waits_as_planned_and_none_follows_the_last(retries: Retries, waits: list[float | None]) -> None:
    assert [seconds_after(retries, attempt) for attempt in range(1, len(waits) + 1)] == waits
    assert retries.most_attempts == len([wait for wait in waits if wait is not None]) + 1
    assert seconds_after(retries, 32_767) is None  # one too many, by whatever accident


@pytest.mark.parametrize(("jitter", "seconds"), [(-1, 27), (-0.5, 28.5), (0, 30), (0.5, 31.5), (1, 33)])
def test_chance_moves_a_wait_by_a_tenth_at_most(jitter: float, seconds: float) -> None:
    assert seconds_after(PATIENT, 2, jitter=jitter) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        (None, 33),
        (0, 33),
        (32.9, 33),  # the plan is longer, chance included
        (33.5, 33.5),
        (600, 600),
        (3600, 3600),
        (3601, 3600),  # an hour at most
        (math.inf, 3600),
    ],
)
def test_a_receiver_may_ask_for_a_longer_wait_and_not_for_a_shorter(asked: float | None, seconds: float) -> None:
    assert seconds_after(PATIENT, 2, jitter=1, retry_after_seconds=asked) == pytest.approx(seconds)


def test_a_receiver_cannot_ask_for_one_more_attempt() -> None:
    assert seconds_after(PATIENT, 7, retry_after_seconds=5) is None


def test_what_is_over_is_over() -> None:
    assert seconds_after(PATIENT, 1, is_over=True, retry_after_seconds=5) is None


# --- Which failures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retries", "retried", "final"),
    [
        # A wrong answer that came with 200, a redirect, a fault of ours: whatever failed may be mended by then.
        (PATIENT, [None, 200, 301, 400, 401, 404, 408, 422, 429, 500, 599], [410]),
        (Retries((5,), "5xx, 429, 408"), [None, 500, 503, 429, 408], [200, 301, 400, 404, 410]),
        (Retries((5,), "5xx", is_silence_retried=False), [500], [None, 429, 410]),
        (Retries((5,), is_silence_retried=False), [200, 404, 500], [None, 410]),
        (Retries((5,), "400-499"), [404, 409, 411], [410, 500]),  # gone is gone, whatever was chosen
    ],
)
def test_only_the_chosen_failures_are_retried(
    retries: Retries, retried: list[int | None], final: list[int | None]
) -> None:
    assert [status for status in retried if seconds_after(retries, 1, status=status) is None] == []
    assert [status for status in final if seconds_after(retries, 1, status=status) is not None] == []


# --- What is allowed -----------------------------------------------------------------------------------


@pytest.mark.parametrize("retries", [*backoff.PRESETS.values(), Retries((1,) * 50), Retries((86_400,), "5xx")])
def test_it_allows_what_can_be_waited_for(retries: Retries) -> None:
    backoff.check(retries)


@pytest.mark.parametrize(
    ("retries", "field", "words"),
    [
        (Retries((5,) * 51), "delays", "51 is not allowed: use 0 to 50"),
        (Retries((5, 0.5)), "delays", "0.5 is not allowed: use 1 to 86400"),
        (Retries((-5,)), "delays", "-5 is not allowed"),
        (Retries((86_401,)), "delays", "86401 is not allowed"),
        (Retries((math.nan,)), "delays", "nan is not allowed"),
        (Retries((5,), "5x"), "statuses", "“5x” is no status"),
        (Retries((5,), "410"), "statuses", "410 .* is never retried"),
    ],
)
def test_it_says_what_is_not_allowed(retries: Retries, field: str, words: str) -> None:
    with pytest.raises(RetriesError, match=words) as caught:
        backoff.check(retries)

    assert caught.value.field == field


@pytest.mark.parametrize(
    ("growth", "field"),
    [
        ((51, 5, 2, 60), "count"),
        ((-1, 5, 2, 60), "count"),
        ((5, 0.9, 2, 60), "first_seconds"),
        ((5, 5, 0.9, 60), "factor"),
        ((5, 5, 10.1, 60), "factor"),
        ((5, 5, math.nan, 60), "factor"),
        ((5, 5, 2, 4), "longest_seconds"),  # shorter than the first
        ((5, 5, 2, 86_401), "longest_seconds"),
    ],
)
def test_growth_has_its_bounds(growth: tuple[int, float, float, float], field: str) -> None:
    with pytest.raises(RetriesError, match="is not allowed: use") as caught:
        backoff.growing(*growth)

    assert caught.value.field == field


def test_the_largest_growth_is_still_a_number() -> None:
    assert backoff.growing(50, 86_400, 10, 86_400) == (86_400,) * 50


# --- Retry-After ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        (" 120\t", 120),
        ("00120", 120),
        ("9" * 100, 1e100),
        ("Thu, 26 Mar 2026 14:33:00 GMT", 60),
        ("Thursday, 26-Mar-26 14:33:00 GMT", 60),  # RFC 850's
        ("Thu Mar 26 14:33:00 2026", 60),  # asctime's
        ("Thu, 26 Mar 2026 14:31:00 GMT", 0),  # has passed
        ("Thu, 26 Mar 2026 15:33:00 +0100", 60),  # not HTTP, and plain all the same
        ("", None),
        ("-5", None),
        ("+5", None),
        ("1.5", None),
        ("1e3", None),
        ("٥", None),
        ("soon", None),
        ("120, 60", None),
        ("Thu, 99 Mar 2026 14:33:00 GMT", None),
        ("Thu, 26 Mar 2026 99:33:00 GMT", None),
        ("Thu, 26 Mar 99999 14:33:00 GMT", None),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0),  # the mail reader takes it for 2001
        ("2026-03-26T14:33:00Z", None),
        ("9" * 101, None),
        ("\x00", None),
        ("(" * 100, None),
    ],
)
def test_it_reads_what_a_receiver_asks_for(value: str, seconds: float | None) -> None:
    assert backoff.read_retry_after(value, NOW) == (None if seconds is None else pytest.approx(seconds))


# --- In words ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retries", "words"),
    [
        (NONE, "None. Gives up after the first attempt"),
        (QUICK, "3, after 1 s, 5 s and 15 s. Gives up after about 21 s"),
        (PATIENT, "6, after 5 s, 30 s, 2 min, 10 min, 30 min and 1 h. Gives up after about 1 h 43 min"),
        (Retries((5, 30, 120)), "3, after 5 s, 30 s and 2 min. Gives up after about 2 min 35 s"),
        (Retries((5,)), "1, after 5 s. Gives up after about 5 s"),
        (Retries((1.5, 90)), "2, after 1.5 s and 1 min 30 s. Gives up after about 1 min 32 s"),
        (Retries((3599.9,)), "1, after 1 h. Gives up after about 1 h"),
        (Retries((86_400, 86_400, 5400)), "3, after 1 day, 1 day and 1 h 30 min. Gives up after about 2 days 2 h"),
        (
            Retries(backoff.growing(20, 5, 2, 3600)),
            "20, after 5 s, 10 s, 20 s, 40 s, … and 1 h. Gives up after about 11 h 25 min",
        ),
        (
            Retries((5,), "5xx, 429"),
            "1, after 5 s. Only for 500-599, 429, and when no answer comes. Gives up after about 5 s",
        ),
        (Retries((5,), "5xx", is_silence_retried=False), "1, after 5 s. Only for 500-599. Gives up after about 5 s"),
        (Retries((5,), is_silence_retried=False), "1, after 5 s. Only for answers. Gives up after about 5 s"),
    ],
)
def test_it_says_the_plan_as_a_person_does(retries: Retries, words: str) -> None:
    assert backoff.in_words(retries) == words


def test_a_wait_is_never_negative() -> None:
    for attempt in range(1, 7):
        wait = backoff.wait_after(PATIENT, attempt, jitter=-1, retry_after_seconds=-50)
        assert wait is not None
        assert wait > timedelta(0)
