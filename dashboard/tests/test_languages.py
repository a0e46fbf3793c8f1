"""Pages speak the reader's language, the API speaks English."""

from __future__ import annotations

import pytest
from django.test import Client

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("compiled_words")]


def test_a_page_speaks_the_language_that_the_browser_asks_for(signed_in: Client) -> None:
    page = signed_in.get("/dashboard/triggers/", headers={"Accept-Language": "de-DE,de;q=0.9,en;q=0.5"})
    assert page.headers["Content-Language"] == "de"
    assert '<html lang="de"' in page.text
    assert "Zum Inhalt springen" in page.text


def test_a_language_that_is_not_there_becomes_english(signed_in: Client) -> None:
    page = signed_in.get("/dashboard/triggers/", headers={"Accept-Language": "fr"})
    assert '<html lang="en"' in page.text
    assert "Skip to the content" in page.text


def test_the_api_speaks_english_whatever_is_asked_for(program: Client) -> None:
    answer = program.get("/api/triggers/0/nothing", headers={"Accept-Language": "de"})
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


def test_the_scripts_get_their_words_in_the_page_s_language(client: Client) -> None:
    page = client.get("/login", headers={"Accept-Language": "de"}, follow=True).text
    address = page.split('<script src="/words/')[1].split('"')[0]
    words = client.get(f"/words/{address}")
    assert "Wieder live" in words.text
    assert "immutable" in words.headers["Cache-Control"]
