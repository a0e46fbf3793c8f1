"""Pages speak the reader's language, the API speaks English."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages import pofile
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from triggers.claims.hours import Finished, count_finished
from triggers.tests.factories import make_api_trigger, make_attempt, make_event

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


def test_a_language_that_is_not_spoken_here_has_no_words(client: Client) -> None:
    """Django keeps a catalogue for every name that it is asked for: a stranger could fill the memory."""
    assert client.get("/words/de-x1.0.js").status_code == 404


@pytest.mark.parametrize("name", ["overview", "health", "trigger-detail"])
def test_what_is_drawn_has_its_numbers_with_a_point_in_every_language(signed_in: Client, name: str) -> None:
    """SVG reads "12.5" only; German writes "12,5"."""
    now = timezone.now()
    trigger = make_api_trigger(api_endpoint="https://example.org/")
    for outcome in ("succeeded", "succeeded", "failed"):
        event = make_event(trigger, outcome=outcome, triggered_at=now)
        make_attempt(event)
        latency = 42.5 if outcome == "succeeded" else None
        count_finished([Finished(trigger.pk, outcome, now, False, latency)])
    page = signed_in.get(
        reverse(name, args=[trigger.pk] if name == "trigger-detail" else []), headers={"Accept-Language": "de"}
    ).text
    assert "<svg" in page
    assert re.findall(r'\s(?:x|y|x1|x2|y1|y2|width|height)="[\d.]*,[^"]*"', page) == []


@pytest.mark.parametrize("domain", ["django", "djangojs"])
def test_the_german_catalogue_is_complete(domain: str) -> None:
    """`make messages` brings new words in; here none is left without its German."""
    path = Path(settings.BASE_DIR) / "locale" / "de" / "LC_MESSAGES" / f"{domain}.po"
    with path.open("rb") as file:
        catalogue = pofile.read_po(file)
    said = [message for message in catalogue if message.id]
    assert len(said) > 30
    words = {message.id: message.string if isinstance(message.string, tuple) else (message.string,) for message in said}
    assert [each for each, strings in words.items() if not all(strings)] == []
    assert [message.id for message in said if message.fuzzy] == []


def test_a_translation_keeps_every_place_of_its_message() -> None:
    path = Path(settings.BASE_DIR) / "locale" / "de" / "LC_MESSAGES" / "django.po"
    with path.open("rb") as file:
        catalogue = pofile.read_po(file)
    wrong = [
        message.id
        for message in catalogue
        if message.id and isinstance(message.id, str) and _places(message.id) != _places(str(message.string))
    ]
    assert wrong == []


def _places(words: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)s|</?\w+[^>]*>", words))
