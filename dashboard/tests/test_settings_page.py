"""A person's own settings."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dashboard.forms import NewPasswordForm, SettingsForm
from dashboard.models import User
from triggers.tests.factories import make_event

pytestmark = pytest.mark.django_db

KEPT = {"first_name": "Mara Lindqvist", "email": "mara@example.org", "time_zone": "", "language": ""}


def _save(client: Client, **given: str) -> int:
    return client.post(reverse("settings"), KEPT | given).status_code


def test_every_time_is_shown_in_the_zone_that_one_chose(signed_in: Client) -> None:
    from datetime import UTC, datetime

    event = make_event(outcome="succeeded", triggered_at=datetime(2026, 3, 26, 13, 32, 7, tzinfo=UTC))
    assert _save(signed_in, time_zone="Asia/Kolkata") == 302
    page = signed_in.get(reverse("event-detail", args=[event.pk])).text
    assert "19:02:07" in page
    assert 'data-zone="Asia/Kolkata"' in page
    assert '<option value="Asia/Kolkata" selected>' in signed_in.get(reverse("trigger-create")).text


def test_the_next_reader_is_not_shown_the_zone_of_the_one_before(signed_in: Client, client: Client) -> None:
    _save(signed_in, time_zone="Asia/Kolkata")
    signed_in.get(reverse("overview"))
    assert 'data-zone="UTC"' in Client().get("/login").text


def test_pages_speak_the_language_that_one_chose_whatever_the_browser_asks_for(signed_in: Client) -> None:
    assert _save(signed_in, language="de") == 302
    assert '<html lang="de"' in signed_in.get(reverse("overview"), headers={"Accept-Language": "en"}).text


def test_letters_can_be_switched_off(signed_in: Client, person: User) -> None:
    assert "data-shortcuts" not in signed_in.get(reverse("overview")).text
    _save(signed_in)
    person.refresh_from_db()
    assert not person.has_shortcuts
    assert 'data-shortcuts="off"' in signed_in.get(reverse("overview")).text


def test_a_name_is_shown_where_one_is_spoken_of(signed_in: Client) -> None:
    _save(signed_in)
    assert "Mara Lindqvist" in signed_in.get(reverse("overview")).text


@pytest.mark.parametrize(
    ("field", "given", "words"),
    [
        ("time_zone", "Europe/Nowhere", "valid choice"),
        ("language", "tlh", "valid choice"),
        ("email", "mara", "valid email"),
        ("first_name", "x" * 151, "at most 150"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_changed(
    signed_in: Client, person: User, field: str, given: str, words: str
) -> None:
    answer = signed_in.post(reverse("settings"), KEPT | {field: given})
    assert answer.status_code == 422
    assert words in answer.text
    person.refresh_from_db()
    assert person.first_name == ""


def test_what_an_administrator_changes_meanwhile_is_not_undone(person: User) -> None:
    form = SettingsForm(KEPT, instance=User.objects.get(pk=person.pk), now=timezone.now())
    User.objects.filter(pk=person.pk).update(role=User.Role.VIEWER, is_active=False)
    form.save()
    person.refresh_from_db()
    assert (person.role, person.is_active, person.first_name) == (User.Role.VIEWER, False, "Mara Lindqvist")


def test_a_new_password_switches_nobody_on_again(person: User) -> None:
    read_before = User.objects.get(pk=person.pk)
    User.objects.filter(pk=person.pk).update(is_active=False, role=User.Role.VIEWER)
    form = NewPasswordForm(
        read_before,
        {"old_password": "correct horse battery", "new_password1": "a new one, 47", "new_password2": "a new one, 47"},
    )
    assert form.is_valid(), form.errors
    form.save()
    person.refresh_from_db()
    assert (person.is_active, person.role) == (False, User.Role.VIEWER)
    assert person.check_password("a new one, 47")


def test_nobody_changes_more_of_themselves_than_the_page_shows(signed_in: Client, person: User) -> None:
    _save(signed_in, role="admin", is_superuser="on", username="root")
    person.refresh_from_db()
    assert (person.username, person.is_superuser) == ("mara", False)
