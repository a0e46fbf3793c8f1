"""The shell around every page: the dispatcher's line, the theme, where we are, what the page may load."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from triggers.models import Beat, Event, Trigger
from triggers.tests.factories import make_event, make_trigger

OVERVIEW = reverse("overview")


@pytest.mark.parametrize(
    ("seconds", "words"), [(1, "Dispatcher running"), (60, "Dispatcher stopped"), (None, "nothing fires")]
)
def test_it_says_how_the_dispatcher_is(signed_in: Client, seconds: int | None, words: str) -> None:
    if seconds is not None:
        Beat.objects.update_or_create(pk=Beat.ID, defaults={"seen_at": timezone.now() - timedelta(seconds=seconds)})
    line = signed_in.get(reverse("dispatcher"), headers={"HX-Request": "true"}).content.decode()
    assert words in line
    assert ('role="alert"' in line) is (seconds != 1)
    assert words in signed_in.get(OVERVIEW).content.decode()


def test_an_event_that_is_due_for_long_means_that_it_lags(signed_in: Client) -> None:
    Beat.objects.update_or_create(pk=Beat.ID, defaults={"seen_at": timezone.now()})
    make_event(triggered_at=timezone.now() - timedelta(seconds=45))
    assert "Dispatcher lagging" in signed_in.get(OVERVIEW).content.decode()


def test_the_navigation_counts_triggers_and_those_that_need_attention(signed_in: Client) -> None:
    make_event(make_trigger(), outcome=Event.Outcome.FAILED)
    make_event(make_trigger(), outcome=Event.Outcome.SUCCEEDED)
    Trigger.objects.filter(pk=make_trigger(enabled=False).pk).update(problem="It cannot read its schedule.")

    for page in (signed_in.get(OVERVIEW).text, signed_in.get(reverse("dispatcher")).text):
        counts = dict(re.findall(r'id="(trigger-count|attention-count)"[^>]*>(?:<svg.*?</svg>)?\s*(\d+)', page))
        assert counts == {"trigger-count": "3", "attention-count": "2"}


@pytest.mark.parametrize(("chosen", "drawn"), [("light", "light"), ("dark", "dark"), ("system", "light")])
def test_the_theme_is_kept_in_a_cookie_and_drawn_by_the_server(signed_in: Client, chosen: str, drawn: str) -> None:
    response = signed_in.post(reverse("theme-set"), {"theme": chosen, "next": "/dashboard/events/?q=a"})
    assert response["Location"] == "/dashboard/events/?q=a"
    page = signed_in.get(OVERVIEW).content.decode()
    assert f'data-theme="{chosen}"' in page
    assert f'data-bs-theme="{drawn}"' in page


def test_a_theme_that_is_none_and_an_address_elsewhere_are_left_alone(signed_in: Client) -> None:
    response = signed_in.post(reverse("theme-set"), {"theme": '"><script>', "next": "https://evil.example.com/"})
    assert response["Location"] == OVERVIEW
    assert "theme" not in response.cookies


@pytest.mark.parametrize(
    ("name", "noun"), [("overview", "Overview"), ("trigger-list", "Triggers"), ("event-log", "Events")]
)
def test_the_navigation_says_where_we_are(signed_in: Client, name: str, noun: str) -> None:
    page = signed_in.get(reverse(name)).content.decode()
    current = re.findall(r"<a[^>]*aria-current=\"page\"[^>]*>(.*?)</a>", page, re.DOTALL)
    assert [re.sub(r"<[^>]*>", "", words).split()[0] for words in current] == [noun, noun]


@pytest.mark.parametrize("name", ["overview", "event-log"])
def test_no_page_has_inline_style_or_script_or_loads_from_elsewhere(signed_in: Client, name: str) -> None:
    make_event(outcome="failed")
    response = signed_in.get(reverse(name))
    page = response.content.decode()
    assert not re.search(r"\sstyle=|\son\w+=|<style|javascript:", page)
    assert all(re.search(r'src="/(?:static|words)/', tag) for tag in re.findall(r"<script[^>]*>", page))
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
    assert "'unsafe" not in response["Content-Security-Policy"]


def test_the_theme_can_be_chosen_only_by_post(signed_in: Client) -> None:
    assert signed_in.get(reverse("theme-set")).status_code == 405


@pytest.mark.parametrize(
    "target", ["login", "trigger-detail", "no-such-page", "//evil.example", "https://evil.example"]
)
def test_the_theme_leads_nowhere_else(signed_in: Client, target: str) -> None:
    response = signed_in.post(reverse("theme-set"), {"theme": "dark", "next": target})
    assert response.status_code == 302
    assert "evil" not in response["Location"]
