"""Times, numbers and JSON in words: one table for each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.template import TemplateSyntaxError
from django.utils import timezone

from dashboard.templatetags.figures import change_percent, number, percent
from dashboard.templatetags.icons import icon
from dashboard.templatetags.json_text import tinted_body, tinted_json
from dashboard.templatetags.statuses import status_words
from dashboard.templatetags.strips import outcome_strip, strip_in_words
from dashboard.templatetags.times import day_and_clock, duration_words, exact_time, relative_words, zone_with_offset

NOW = datetime(2026, 3, 26, 13, 32, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "just now"),
        (-7, "7 s ago"),
        (-97, "1 min ago"),
        (-3600, "1 h ago"),
        (-86399, "23 h ago"),
        (-86400, "1 day ago"),
        (-7 * 86400, "Thu 19 Mar"),
        (0.5, "due"),
        (23, "in 23 s"),
        (773, "in 12 min 53 s"),
        (900, "in 15 min"),
        (43020, "in 11 h 57 min"),
        (5 * 86400 + 9, "in 5 days"),
        (400 * 86400, "Fri 30 Apr 2027"),
    ],
)
def test_relative_times(seconds: float, words: str) -> None:
    assert relative_words(NOW + timedelta(seconds=seconds), NOW) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        (0, "0 ms"),
        (0.0042, "4.2 ms"),
        (0.061, "61 ms"),
        (0.9996, "1.0 s"),
        (30.2, "30.2 s"),
        (59.96, "1 min"),
        (643, "10 min 43 s"),
        (6180, "1 h 43 min"),
        (172800, "2 days"),
        (-3, "0 ms"),
    ],
)
def test_durations(seconds: float | None, words: str) -> None:
    assert duration_words(seconds) == words
    assert duration_words(None if seconds is None else timedelta(seconds=seconds)) == words


def test_exact_times_are_in_the_display_zone() -> None:
    with timezone.override("Europe/Berlin"):
        assert exact_time(NOW) == "Thu 26 Mar 2026, 14:32:07 Europe/Berlin"
        assert day_and_clock(NOW, NOW) == "14:32:07"
        assert day_and_clock(NOW + timedelta(days=1), NOW) == "Fri 27 Mar, 14:32"
        assert zone_with_offset().startswith("Europe/Berlin (UTC+")
    with timezone.override("Asia/Kolkata"):
        assert zone_with_offset() == "Asia/Kolkata (UTC+5:30)"


@pytest.mark.parametrize(
    ("share", "words"), [(None, "–"), (0, "0"), (1, "100"), (0.99996, "99.9"), (0.00001, "0.1"), (0.9886, "98.9")]
)
def test_only_all_reads_100_and_only_none_reads_0(share: float | None, words: str) -> None:
    assert percent(share) == words


def test_numbers() -> None:
    assert number(1046) == "1,046"
    assert number(None) == "–"
    assert change_percent(-0.048) == "4.8"
    assert change_percent(0.5) == "50"
    assert status_words(503) == "503 Service Unavailable"
    assert status_words(799) == "799"


def test_json_is_tinted_and_every_part_of_it_escaped() -> None:
    tinted = tinted_json({"<k>": ["<v>", 1, True, None]})
    assert '<span class="json-key">&quot;&lt;k&gt;&quot;</span>' in tinted
    assert '<span class="json-string">&quot;&lt;v&gt;&quot;</span>' in tinted
    for plain in ("1", "true", "null"):
        assert f'<span class="json-number">{plain}</span>' in tinted
    assert tinted_body("<p>no json") == "&lt;p&gt;no json"


def test_a_strip_has_a_tick_for_each_outcome_and_says_them() -> None:
    outcomes = ["succeeded"] * 25 + ["failed", "skipped"]
    strip = outcome_strip(outcomes)
    assert strip.count("<rect") == 20
    assert 'aria-label="Last 20: 18 succeeded, 1 failed, 1 skipped"' in strip
    assert strip_in_words([]) == "No events yet"


def test_an_icon_that_does_not_exist_is_an_error_of_the_template() -> None:
    assert "<path" in icon("clock")
    with pytest.raises(TemplateSyntaxError):
        icon("no-such-icon")
