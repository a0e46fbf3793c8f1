"""The fonts of the pages: made from packages, small, and with what pages write."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from fontTools.ttLib import TTFont

from dashboard import fonts

FILES = [font.name for font in fonts.FONTS]


def _font(name: str) -> TTFont:
    return TTFont(BytesIO(Path(str(finders.find(f"fonts/{name}"))).read_bytes()))


@pytest.mark.parametrize("name", FILES)
def test_it_has_every_letter_of_the_pages(name: str) -> None:
    wanted = set("Every day at 02:30 – “Zürich” → ← × … ÄÖÜäöüßéŁő€")
    assert {ord(letter) for letter in wanted} <= set(_font(name).getBestCmap())


def test_the_text_font_has_the_weights_in_use_and_no_more() -> None:
    axes = {axis.axisTag: (axis.minValue, axis.maxValue) for axis in _font("plex-sans.woff2")["fvar"].axes}
    assert axes == {"wght": (400, 600)}


def test_figures_of_one_width_are_there() -> None:
    features = {record.FeatureTag for record in _font("plex-sans.woff2")["GSUB"].table.FeatureList.FeatureRecord}
    assert "tnum" in features or len(_digit_widths()) == 1


def _digit_widths() -> set[int]:
    font = _font("plex-sans.woff2")
    return {font["hmtx"][font.getBestCmap()[ord(digit)]][0] for digit in "0123456789"}


def test_all_together_stay_small() -> None:
    sizes = [Path(str(finders.find(f"fonts/{name}"))).stat().st_size for name in FILES]
    assert sum(sizes) < 80_000


def test_the_licence_goes_with_them() -> None:
    assert "SIL OPEN FONT LICENSE" in Path(str(finders.find(f"fonts/{fonts.LICENCE}"))).read_text().upper()


def test_it_finds_nothing_that_is_not_its_own() -> None:
    assert finders.find("fonts/../settings.py") is None
    assert finders.find("fonts/other.woff2") is None
