"""Who may do what: every page that takes a POST says it, and what a role may not do is refused and not offered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import import_module

import pytest
from django.apps import apps
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, resolve, reverse

from dashboard import urls
from dashboard.models import ApiKey, User
from dashboard.permissions import MAY, SCOPES, Permission, Role
from triggers.models import Event, Trigger
from triggers.tests.factories import make_event, make_trigger

pytestmark = pytest.mark.django_db

IN_PATHS = {"name": "tiles"}  # every other part of an address is a number


def _patterns(found: list[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    for each in found:
        if isinstance(each, URLResolver):
            yield from _patterns(each.url_patterns)
        else:
            yield each


PAGES = {str(each.name): each for each in _patterns(urls.dashboard_urls)}


def _address(name: str) -> str:
    parts = PAGES[name].pattern.converters
    return reverse(name, kwargs={part: IN_PATHS.get(part, 1) for part in parts})


def _signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def _is_own(name: str) -> bool:
    return getattr(PAGES[name].callback, "login_required", True) is False


@pytest.mark.parametrize("name", PAGES)
def test_every_page_that_takes_a_post_says_whom_it_takes(name: str, person: User) -> None:
    answer = _signed_in(person).post(_address(name))

    said = getattr(PAGES[name].callback, "allows", None)
    assert answer.status_code == 405 or said is not None or _is_own(name), f"{name} says nothing"


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("role", Role)
def test_it_refuses_what_the_role_may_not_do(name: str, role: Role) -> None:
    person = User.objects.create_user("vera", role=role)
    said = getattr(PAGES[name].callback, "allows", Permission.READ)

    for is_htmx in ("true", "false"):
        for method in ("GET", "POST"):
            headers = {"HX-Request": is_htmx}
            status = _signed_in(person).generic(method, _address(name), headers=headers).status_code
            assert (status == 403) is (said not in MAY[role]), (method, is_htmx)


def test_nothing_happens_when_it_is_refused(viewer: User) -> None:
    trigger = make_trigger()
    client = _signed_in(viewer)

    for name in ("trigger-test", "trigger-fire", "trigger-switch", "trigger-delete", "trigger-replace-secret"):
        assert client.post(reverse(name, args=[trigger.pk]), {"on": "0"}).status_code == 403
    trigger.refresh_from_db()
    assert (trigger.enabled, trigger.deleted_at, Event.objects.count()) == (True, None, 0)


def test_the_page_says_who_one_is_whom_it_takes_and_who_can_help(viewer: User, person: User) -> None:
    User.objects.filter(pk=person.pk).update(first_name="Mara Lindqvist")
    page = _signed_in(viewer).get(reverse("trigger-create"))

    assert page.status_code == 403
    assert "Creating, changing and deleting triggers is for operators and administrators." in page.text
    assert "You are signed in as vera (Viewer)." in page.text
    assert "Ask Mara Lindqvist for access." in page.text
    assert "Sign in as someone else" in page.text
    assert '<nav aria-label="Main">' in page.text


def test_it_names_no_administrator_who_cannot_help(viewer: User, person: User) -> None:
    User.objects.create_user("nia", role=Role.ADMIN)  # invited, without a password so far
    User.objects.create_user("olga", password="correct horse", role=Role.ADMIN, is_active=False)

    page = _signed_in(viewer).get(reverse("trigger-create"))
    assert "Ask mara for access." in page.text


def test_htmx_is_told_in_a_toast(viewer: User, person: User) -> None:
    trigger = make_trigger()

    answer = _signed_in(viewer).post(reverse("trigger-switch", args=[trigger.pk]), headers={"HX-Request": "true"})

    assert answer.status_code == 403
    assert "<" not in answer.text
    toast = json.loads(answer["HX-Trigger"])["toast"]
    assert (toast["level"], toast["title"]) == ("bad", "Not done.")
    assert "for operators and administrators. You are signed in as vera (Viewer). Ask mara" in toast["text"]


def test_a_new_role_counts_from_the_next_request_on(viewer: User) -> None:
    client = _signed_in(viewer)
    assert client.get(reverse("trigger-create")).status_code == 403

    User.objects.filter(pk=viewer.pk).update(role=Role.OPERATOR)
    assert client.get(reverse("trigger-create")).status_code == 200

    User.objects.filter(pk=viewer.pk).update(role=Role.VIEWER)
    assert client.get(reverse("trigger-create")).status_code == 403


def test_no_key_manages_people_or_keys() -> None:
    assert Permission.MANAGE not in SCOPES
    assert Permission.OWN not in SCOPES


# --- What is offered -------------------------------------------------------------------------------------


def _refused_to_viewers(page: str) -> set[str]:
    """Return the names of the pages that this one leads or sends to, and that refuse a viewer."""
    addresses = re.findall(r'(?:href|action|formaction|hx-get|hx-post)="(/[^"?#]*)', page)
    found = [resolve(address) for address in set(addresses) if not address.startswith("/static/")]
    return {
        str(each.url_name) for each in found if getattr(each.func, "allows", Permission.READ) not in MAY[Role.VIEWER]
    }


@pytest.mark.parametrize("with_triggers", [True, False])
def test_a_viewer_is_offered_nothing_that_is_refused(viewer: User, person: User, with_triggers: bool) -> None:
    trigger = make_trigger(api_endpoint="https://example.org/hook", problem="It failed 5 times.", failures_in_a_row=5)
    event = make_event(trigger=trigger, outcome="failed", finished_at=trigger.created_at)
    pages = [name for name, page in PAGES.items() if not page.pattern.converters]
    addresses = [
        *map(reverse, pages),
        f"{reverse('trigger-live')}?id={trigger.pk}",
        reverse("trigger-detail", args=[trigger.pk]),
        reverse("event-detail", args=[event.pk]),
    ]
    offered = set()
    if not with_triggers:
        Trigger.objects.update(deleted_at=trigger.created_at)
        addresses = [reverse("overview"), reverse("trigger-list")]

    for address in addresses:
        for is_htmx in ("true", "false"):
            page = _signed_in(viewer).get(address, headers={"HX-Request": is_htmx})
            if page.status_code in (200, 286) and not page.streaming:
                assert _refused_to_viewers(page.text) == set(), address
        seen = _signed_in(person).get(address)
        offered |= set() if seen.streaming else _refused_to_viewers(seen.text)
    # The test sees what it looks for.
    expected = {"trigger-create", "key-list", "people-list"}
    expected |= (
        {"trigger-edit", "trigger-switch", "trigger-test", "trigger-fire", "trigger-delete", "event-replay"}
        if with_triggers
        else {"trigger-examples"}
    )
    assert expected <= offered


def test_a_viewer_reads_on_or_off_in_words(viewer: User) -> None:
    on, off = make_trigger(), make_trigger(enabled=False)
    client = _signed_in(viewer)

    page = client.get(reverse("trigger-list")).text
    assert 'role="switch"' not in page
    assert (f'id="switch-{on.pk}"' in page, f'id="switch-{off.pk}"' in page) == (True, True)
    assert "Off" in client.get(reverse("trigger-detail", args=[off.pk])).text


# --- Who came before there were roles --------------------------------------------------------------------


def test_people_and_keys_from_before_keep_what_they_could_do(viewer: User) -> None:
    ApiKey.create("old", [])

    import_module("dashboard.migrations.0004_all_keep_what_they_could").give_everything(apps, None)

    assert User.objects.get().role == Role.ADMIN
    assert ApiKey.objects.get().scopes == [Permission.READ, Permission.FIRE, Permission.WRITE]


def test_whom_a_command_makes_is_an_administrator_and_whom_code_makes_is_a_viewer() -> None:
    call_command("createsuperuser", "--noinput", username="root", email="root@example.org")

    assert User.objects.get().role == Role.ADMIN
    assert User.objects.create_user("someone").role == Role.VIEWER
