"""What a browser loads for a page: little, from here, and for good."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse

from dashboard import fonts

MOST = 250 * 1024  # bytes, compressed


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["overview", "event-log", "trigger-list", "trigger-create"])
def test_styles_scripts_and_fonts_of_a_page_stay_small(signed_in: Client, name: str) -> None:
    page = signed_in.get(reverse(name)).text
    loaded = re.findall(r'<(?:script src|link rel="stylesheet" href)="([^"]+)"', page)
    assert len(loaded) > 5
    sizes = {address: len(gzip.compress(_content(signed_in, address))) for address in loaded}
    sizes |= {font.name: len(_content(signed_in, f"/static/fonts/{font.name}")) for font in fonts.FONTS}
    assert sum(sizes.values()) <= MOST, sizes


def _content(client: Client, address: str) -> bytes:
    if not address.startswith("/static/"):
        return client.get(address).content
    found = finders.find(address.removeprefix("/static/"))
    assert found, address
    return Path(str(found)).read_bytes()


def test_no_rule_of_the_stylesheet_swallows_the_next_ones() -> None:
    """A heading comment stands outside of every block: one that is not closed makes the rest of the file its own."""
    depth = 0
    for number, line in enumerate(_stylesheet().splitlines(), start=1):
        assert not (line.startswith("/* ---") and depth), f"A block is still open at line {number}."
        depth += line.count("{") - line.count("}")
    assert depth == 0


def _stylesheet() -> str:
    return Path(str(finders.find("app.css"))).read_text()
