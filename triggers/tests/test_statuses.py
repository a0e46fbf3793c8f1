"""Sets of HTTP statuses: the table."""

from __future__ import annotations

import pytest

from triggers import statuses


@pytest.mark.parametrize(
    ("text", "count", "has", "has_not", "words"),
    [
        ("2xx", 100, 299, 300, "200-299"),
        ("5XX", 100, 500, 499, "500-599"),
        ("200", 1, 200, 201, "200"),
        ("200, 202, 204", 3, 204, 203, "200, 202, 204"),
        ("200-299,304", 101, 304, 303, "200-299, 304"),
        ("200 – 204", 5, 204, 205, "200-204"),  # the dash that word processors make
        ("2xx, 200-204, 200", 100, 200, 300, "200-299, 200-204, 200"),  # said twice
        ("100-599", 500, 599, 600, "100-599"),
        ("404-404", 1, 404, 405, "404-404"),
    ],
)
def test_it_reads_sets(text: str, count: int, has: int, has_not: int, words: str) -> None:
    found = statuses.parse(text)

    assert len(found) == count
    assert has in found
    assert has_not not in found
    assert statuses.in_words(text) == words.replace("404-404", "404")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "“”"),
        (" ", "“”"),
        ("200,", "“”"),
        ("ok", "“ok”"),
        ("200 202", "“200 202”"),
        ("2x", "“2x”"),
        ("6xx", "“6xx”"),
        ("0xx", "“0xx”"),
        ("99", "“99”"),
        ("099", "“099”"),
        ("600", "“600”"),
        ("2000", "“2000”"),
        ("299-200", "“299-200”"),
        ("500-600", "“500-600”"),
        ("-200", "“-200”"),
        ("٢٠٠", "“٢٠٠”"),  # digits, but not those of HTTP
        ("200\n\n300", "“200\n\n300”"),
    ],
)
def test_it_says_which_part_is_no_status(text: str, part: str) -> None:
    with pytest.raises(ValueError, match=f"^{part} is no status: use 100 to 599, ranges and classes"):
        statuses.parse(text)


def test_it_refuses_a_text_without_end() -> None:
    statuses.parse(",".join(["200"] * 50))

    with pytest.raises(ValueError, match="at most 200 characters"):
        statuses.parse(",".join(["200"] * 51))
