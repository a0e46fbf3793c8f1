"""System health: the worst thing in one sentence, figures, clusters, checks, and all of it as text."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from dashboard.models import User
from triggers.health import Store
from triggers.models import Beat, CleanUp, Cluster
from triggers.tests.factories import make_api_trigger, make_event, make_trigger

PAGE, TEXT = reverse("health"), reverse("health-text")
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    cache.clear()


@pytest.fixture
def beating(db: None, settings: LazySettings) -> Cluster:
    """A cluster that leads, on a server that has nothing to complain of."""
    settings.PUBLIC_URL = "http://testserver"
    now = timezone.now()
    Beat.objects.create(pk=Beat.ID, cluster="north-kilo-seven", seen_at=now)
    return make_cluster("north-kilo-seven", workers=4, delivering=1)


def make_cluster(name: str, seen_before: float = 0, **fields: Any) -> Cluster:
    now = timezone.now()
    times = {"started_at": now - timedelta(days=6), "seen_at": now - timedelta(seconds=seen_before)}
    return Cluster.objects.create(name=name, host="worker-1", pid=4711, **{**times, **fields})


def sentence(client: Client) -> str:
    page = client.get(PAGE).text
    note = page.split('id="health-sentence"')[1].split("</div>")[0]
    level = re.findall(r"note-(\w+)", page.split('id="health-sentence"')[0])[-1]
    return f"{level}: " + " ".join(re.sub(r"<svg.*?</svg>|<[^>]*>|^[^<]*>", " ", note, flags=re.DOTALL).split())


def test_everything_is_running(signed_in: Client, beating: Cluster) -> None:
    assert sentence(signed_in) == "ok: Everything is running. Monitors can poll /healthz ."


def test_a_stopped_dispatcher_comes_before_all_else(
    signed_in: Client, beating: Cluster, settings: LazySettings
) -> None:
    Beat.objects.update(seen_at=timezone.now() - timedelta(minutes=2))
    settings.PUBLIC_URL = "http://elsewhere.example"
    words = sentence(signed_in)
    assert words.startswith("bad: The dispatcher stopped, nothing fires since ")
    assert words.endswith(
        "Start it with manage.py cluster; nothing that was accepted is lost. One more thing below wants a look."
    )


def test_a_dispatcher_that_ended_in_order_says_when(signed_in: Client, beating: Cluster) -> None:
    Beat.objects.update(seen_at=None)
    Cluster.objects.update(stopped_at=timezone.now())
    assert sentence(signed_in).startswith("bad: The dispatcher stopped, nothing fires since ")


def test_a_server_without_a_cluster_says_how_to_start_one(signed_in: Client) -> None:
    assert sentence(signed_in).startswith("bad: The dispatcher is not running: nothing fires. Start it with")
    assert "No cluster has run yet" in signed_in.get(PAGE).text


@pytest.mark.parametrize(
    ("free", "words"),
    [(100_000_000, "bad: Disk almost full: 100.0 MB left."), (900_000_000, "warn: Disk space is low")],
)
def test_a_disk_that_fills_up(
    signed_in: Client, beating: Cluster, monkeypatch: pytest.MonkeyPatch, free: int, words: str
) -> None:
    monkeypatch.setattr("triggers.health.store", lambda: Store(41_000_000, free))
    assert sentence(signed_in).startswith(words)


def test_a_cluster_that_is_silent(signed_in: Client, beating: Cluster) -> None:
    make_cluster("amber-finch-two", seen_before=30)
    assert sentence(signed_in).startswith("warn: Cluster amber-finch-two has not been seen since ")


def test_a_dispatcher_that_lags(signed_in: Client, beating: Cluster) -> None:
    make_event(make_api_trigger(name="Order <b>"), triggered_at=timezone.now() - timedelta(seconds=45))
    assert sentence(signed_in).startswith("warn: The dispatcher lags: something has been due for 45")
    page = signed_in.get(PAGE).text
    assert "Order &lt;b&gt;, " in page  # the oldest due


def test_a_clean_up_that_does_not_come(signed_in: Client, beating: Cluster) -> None:
    CleanUp.objects.create(pk=CleanUp.ID, at=timezone.now() - timedelta(minutes=11), deleted=17)
    assert sentence(signed_in).startswith("warn: The last clean-up was at ")
    assert "deleted 17" in signed_in.get(PAGE).text


def test_it_shows_the_clusters(signed_in: Client, beating: Cluster) -> None:
    make_cluster("still-harbour-four", executed=1_204_311, stopped_at=timezone.now(), is_stopped_in_order=True)
    page = signed_in.get(PAGE).text
    rows = page.split("<tbody>")[1].split("</tbody>")[0].split("</tr>")
    leader, gone = (" ".join(re.sub(r"<[^>]*>", " ", row).split()) for row in rows[:2])
    assert leader == "north-kilo-seven Leader worker-1 4711 just now 4 4 workers, 1 delivering 1 0 6 days up for 6 days"
    assert gone == "still-harbour-four Gone worker-1 4711 just now – – 1,204,311 stopped in order"


def test_it_says_where_the_beat_runs_and_what_it_has_done(signed_in: Client, beating: Cluster) -> None:
    began = timezone.now() - timedelta(minutes=50)
    Beat.objects.update(holder="worker-1:4712", started_at=began, handed_over=90_812, handed_over_before=90_000)

    foot = signed_in.get(PAGE).text.split('class="card-foot small quiet">')[1].split("</p>")[0]
    words = " ".join(re.sub(r"<[^>]*>", "", foot).split())
    assert words == "The beat runs in worker-1:4712, started 50 min ago, and has handed over 812 events."
    text = signed_in.get(TEXT).text
    assert "812 events handed over, 90,812 by all beats" in text
    assert "4 workers, 1 delivering, 0 finished, up for 6 days" in text
    Beat.objects.update(seen_at=began)
    assert "The beat runs in" not in signed_in.get(PAGE).text


def test_it_shows_the_queue_and_the_rate(signed_in: Client, beating: Cluster) -> None:
    make_event(outcome="delivering")
    make_event(attempt_count=1, due_at=timezone.now() + timedelta(minutes=1))
    make_event(outcome="succeeded")
    page = " ".join(signed_in.get(PAGE).text.split())
    assert "1 delivering, 1 waiting for a retry" in page
    assert "0.2<small> per min</small>" in page


def test_the_live_part_is_what_the_page_shows(signed_in: Client, beating: Cluster) -> None:
    make_event(outcome="succeeded")
    page, part = signed_in.get(PAGE), signed_in.get(PAGE, headers=HTMX)
    assert "HX-Request" in page["Vary"]
    assert "<html" not in part.text
    shown, alone = (re.sub(r"[\d.,]+", "0", each.text) for each in (page, part))
    assert alone.split('<span id="health-updated"')[0].strip() in shown
    assert 'hx-swap-oob="true"' in part.text
    assert "style=" not in part.text


def test_the_text_has_all_of_it_and_nothing_of_anybody(
    signed_in: Client, beating: Cluster, settings: LazySettings
) -> None:
    settings.PUBLIC_URL = "https://secret-host.example"
    settings.ALLOWED_HOSTS = ["secret-host.example", "testserver"]
    make_event(
        make_trigger(name="Payroll", api_endpoint="https://internal.example/hook"),
        triggered_at=timezone.now() - timedelta(seconds=5),
    )
    answer = signed_in.get(TEXT, headers={"Accept-Language": "de"})
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert "no-store" in answer["Cache-Control"]
    for words in (
        "Everything is running.",
        "north-kilo-seven: leader",
        "ok   Database: ",
        "ok   PUBLIC_URL: https\n",
        "Oldest due   5",
    ):
        assert words in answer.text
    for secret in ("Payroll", "internal", "secret-host", "worker-1", *settings.ENCRYPTION_KEYS, settings.SECRET_KEY):
        assert secret not in answer.text
    assert str(connection.settings_dict["NAME"]) not in answer.text


def test_whoever_may_sign_in_may_look(client: Client, viewer: User) -> None:
    client.force_login(viewer)
    assert client.get(PAGE).status_code == 200
    assert client.get(TEXT).status_code == 200


def test_a_stranger_is_sent_to_sign_in(client: Client, db: None) -> None:
    assert client.get(PAGE)["Location"].startswith("/login")
    assert client.get(TEXT)["Location"].startswith("/login")


def test_it_can_only_be_looked_at(signed_in: Client) -> None:
    assert signed_in.post(PAGE).status_code == 405


def test_every_page_leads_there(signed_in: Client) -> None:
    page = signed_in.get(reverse("overview")).text
    assert page.count(f'href="{PAGE}"') == 4  # the sidebar, the More menu, the dispatcher's line, its tile
    assert "System health" in signed_in.get(reverse("jump"), {"q": "disk"}).text
    current = re.findall(r"<a[^>]*aria-current=\"page\"[^>]*>(.*?)</a>", signed_in.get(PAGE).text, re.DOTALL)
    assert [re.sub(r"<[^>]*>", "", words).strip() for words in current] == ["System health"] * 2


def test_more_of_everything_costs_no_more_queries(
    signed_in: Client, beating: Cluster, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(8):
        make_cluster(f"cluster-{number}")
        make_event(make_trigger(), outcome="failed")
        make_event(make_trigger())
    signed_in.get(PAGE, headers=HTMX)  # the hours that are over are remembered
    with django_assert_max_num_queries(40):
        signed_in.get(PAGE, headers=HTMX)
