"""The page of API keys: the list, a new key that is shown once, one in place of another, the end of one."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard import key_calls
from dashboard.models import ApiKey, KeyCalls, User
from dashboard.permissions import Permission
from triggers.models import Trigger
from triggers.tests.factories import make_api_trigger

pytestmark = pytest.mark.django_db

PAGE = "/dashboard/api-keys/"
HTMX = {"HX-Request": "true"}
FIELDS = {"name": "deploy-pipeline", "scopes": ["fire"], "reach": "all", "expires": "90"}


def shown_key(page: str) -> str:
    """Return the clear key that the page shows, "" when it shows none."""
    found = re.search(r'id="fresh-key"\s+value="([^"]+)"', page)
    return found[1] if found else ""


def make(client: Client, **fields: Any) -> str:
    """Fill in the form and return the clear key."""
    return shown_key(client.post(f"{PAGE}new/", FIELDS | fields, follow=True).text)


def test_a_web_process_from_before_the_scope_metrics_can_still_make_a_key() -> None:
    old, _ = ApiKey.create("old")
    known = [
        str(field.column) for field in ApiKey._meta.local_concrete_fields if field.column not in ("id", "may_metrics")
    ]
    names = ", ".join(known)
    values = ", ".join("'efgh'" if name == "prefix" else name for name in known)
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO dashboard_apikey ({names}) SELECT {values} FROM dashboard_apikey")  # noqa: S608

    made = ApiKey.objects.exclude(pk=old.pk).get()
    assert (made.may_read, made.may_metrics) == (True, False)


def words(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


# --- A new one -------------------------------------------------------------------------------------------


def test_it_makes_a_key_that_works(signed_in: Client, person: User) -> None:
    clear = make(signed_in)

    key = ApiKey.objects.get()
    assert (key.name, key.scopes, key.is_limited, key.created_by) == ("deploy-pipeline", ["fire"], False, person)
    assert key.expires_at is not None
    assert timedelta(days=89) < key.expires_at - timezone.now() <= timedelta(days=90)
    program = Client(headers={"X-API-Key": clear})
    assert program.generic("POST", f"/triggers/{make_api_trigger().pk}/fire").status_code == 202
    assert program.get("/triggers").status_code == 403


def test_it_is_shown_once_and_kept_nowhere(signed_in: Client) -> None:
    answer = signed_in.post(f"{PAGE}new/", FIELDS, follow=True)
    clear = shown_key(answer.text)

    assert clear.startswith("etp_")
    assert "no-store" in answer["Cache-Control"]
    assert 'hx-history="false"' in answer.text
    assert "I have saved it" in answer.text
    assert shown_key(signed_in.get(PAGE).text) == ""
    assert clear not in str(ApiKey.objects.values().get())
    assert clear not in str(dict(signed_in.session))


def test_it_lies_encrypted_in_the_session_until_it_is_shown(signed_in: Client) -> None:
    signed_in.post(f"{PAGE}new/", FIELDS)
    carried = str(dict(signed_in.session))

    clear = shown_key(signed_in.get(PAGE).text)
    assert clear
    assert clear not in carried
    assert clear[4:20] not in carried


def test_the_lists_refresh_does_not_take_it_away(signed_in: Client) -> None:
    signed_in.post(f"{PAGE}new/", FIELDS)

    assert shown_key(signed_in.get(PAGE, headers=HTMX).text) == ""
    assert shown_key(signed_in.get(PAGE).text) != ""


@pytest.mark.parametrize(
    ("scopes", "call"),
    [
        (["read", "write"], "http://testserver/triggers"),
        (["fire"], "-X POST http://testserver/triggers/{pk}/fire"),
        (["write"], "http://testserver/openapi.json"),
        (["metrics"], "http://testserver/metrics"),
    ],
)
def test_it_shows_a_call_that_the_key_may_make(signed_in: Client, scopes: list[str], call: str) -> None:
    trigger = make_api_trigger()
    page = html.unescape(signed_in.post(f"{PAGE}new/", FIELDS | {"scopes": scopes}, follow=True).text)

    clear = shown_key(page)
    expected = call.format(pk=trigger.pk)
    assert f'curl -H "Authorization: Bearer {clear}" {expected}' in page
    assert f'curl -H "Authorization: Bearer {clear[:12]}…{clear[-4:]}" {expected}</code>' in page


def test_it_never_expires_where_that_is_chosen(signed_in: Client) -> None:
    make(signed_in, expires="never")
    assert ApiKey.objects.get().expires_at is None


def test_it_is_limited_to_the_triggers_that_are_ticked(signed_in: Client) -> None:
    mine, other = make_api_trigger(name="Mine"), make_api_trigger(name="Other")
    clear = make(signed_in, reach="chosen", triggers=[mine.pk], scopes=["read"])

    program = Client(headers={"X-API-Key": clear})
    assert [each["id"] for each in program.get("/triggers").json()["triggers"]] == [mine.pk]
    assert program.get(f"/triggers/{other.pk}").status_code == 404
    assert "Mine" in words(signed_in.get(PAGE).text)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": ""}, "Say what it is for."),
        ({"name": "a\u200bb"}, "Use printable characters only."),
        ({"name": "x" * 121}, "at most 120 characters"),
        ({"scopes": []}, "Choose at least one: a key without any could do nothing."),
        ({"scopes": ["manage"]}, "manage is not one of the available choices"),
        ({"reach": "chosen"}, "Choose at least one trigger, or let it reach all."),
        ({"reach": "chosen", "triggers": ["999", "x", "9" * 30]}, "Choose at least one trigger, or let it reach all."),
        ({"expires": "1000000"}, "1000000 is not one of the available choices"),
    ],
)
def test_it_says_what_is_wrong(signed_in: Client, fields: dict[str, Any], said: str) -> None:
    answer = signed_in.post(f"{PAGE}new/", FIELDS | fields)

    assert (answer.status_code, said in words(answer.text)) == (422, True)
    assert re.search(r"<title>\s*Error:", answer.text)
    assert not ApiKey.objects.exists()


def test_triggers_are_searched_and_what_is_ticked_stays(signed_in: Client) -> None:
    paid = make_api_trigger(name="Order paid")
    make_api_trigger(name="Backup", api_endpoint="https://crm.example.com/hook")
    make_api_trigger(name="Probe")

    part = signed_in.get(f"{PAGE}new/triggers/?q=crm&triggers={paid.pk}", headers=HTMX).text
    assert re.findall(r'value="(\d+)"( checked)?', part) == [
        (str(paid.pk), " checked"),
        (str(Trigger.objects.get(name="Backup").pk), ""),
    ]
    assert "No other trigger matches “none of them”" in signed_in.get(f"{PAGE}new/triggers/?q=none of them").text


def test_it_is_searched_without_javascript_too(signed_in: Client) -> None:
    paid = make_api_trigger(name="Order paid")
    make_api_trigger(name="Probe")

    page = signed_in.get(f"{PAGE}new/?name=shop&scopes=fire&reach=chosen&expires=7&q=probe&triggers={paid.pk}").text
    assert 'value="shop"' in page
    assert re.search(r'value="fire"\s+checked', page)
    assert re.search(r'value="chosen"[^>]*checked', page)
    assert re.search(rf'value="{paid.pk}"\s+checked', page)
    assert re.search(r'value="7" selected', page)


def test_of_many_triggers_the_first_are_offered(signed_in: Client) -> None:
    for number in range(101):
        make_api_trigger(name=f"No. {number:03}")

    page = signed_in.get(f"{PAGE}new/").text
    assert (page.count('name="triggers"'), "The first 100 by name." in words(page)) == (100, True)


# --- The list --------------------------------------------------------------------------------------------


def test_it_says_what_a_key_is_there_for(signed_in: Client) -> None:
    page = words(signed_in.get(PAGE).text)
    assert "No API keys yet" in page
    assert "New key" in page


def test_it_says_who_made_it_and_what_came_with_it(signed_in: Client, person: User, operator: User) -> None:
    key = ApiKey.create("grafana", [Permission.READ], by=person)[0]
    ApiKey.create("theirs", by=operator)
    ApiKey.create("by hand")
    now = timezone.now()
    for hours, count in ((0, 1000), (23, 46), (24, 7)):
        hour = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours)
        KeyCalls.objects.create(key=key, hour=hour, count=count)
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=now - timedelta(minutes=17), last_used_from="203.0.113.24")

    page = words(signed_in.get(PAGE).text)
    assert f"grafana etp_{key.prefix}… read just now by you 17 min ago from 203.0.113.24 1,046" in page
    assert "by ola" in page
    assert "by a command Never 0" in page


@pytest.mark.parametrize(("days", "is_warned"), [(6, True), (8, False), (None, False)])
def test_it_warns_within_a_week_of_the_end(signed_in: Client, days: int | None, is_warned: bool) -> None:
    ApiKey.create("soon", expires_at=timezone.now() + timedelta(days=days) if days else None)

    assert ("expires-soon" in signed_in.get(PAGE).text) is is_warned


def test_those_that_are_over_come_last_struck_and_without_buttons(signed_in: Client) -> None:
    now = timezone.now()
    for name, field in (("revoked", "revoked_at"), ("expired", "expires_at"), ("works", "last_used_at")):
        ApiKey.objects.filter(pk=ApiKey.create(name)[0].pk).update(**{field: now})

    page = signed_in.get(PAGE).text
    assert re.findall(r'<(s|span) class="name">([^<]+)<', page) == [
        ("span", "works"),
        ("s", "expired"),
        ("s", "revoked"),
    ]
    assert [page.count(f"{verb}…") for verb in ("Rotate", "Revoke")] == [2, 1]


def test_it_refreshes_itself_only_when_something_has_changed(signed_in: Client, program: Client) -> None:
    page = signed_in.get(PAGE).text
    address = re.search(r'hx-get="(/dashboard/api-keys/\?v=\w+)"', page)
    assert address
    part = signed_in.get(PAGE, headers=HTMX).text
    assert part.strip() in page

    assert signed_in.get(address[1], headers=HTMX).status_code == 204
    program.get("/triggers")
    key_calls.write()
    assert "1" in words(signed_in.get(address[1], headers=HTMX).text)


def test_it_asks_the_database_as_often_for_many_as_for_one(signed_in: Client, person: User) -> None:
    trigger = make_api_trigger()
    ApiKey.create("first", by=person, triggers=[trigger])

    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            signed_in.get(PAGE)
        return len(asked)

    queries()
    few = queries()
    for number in range(12):
        ApiKey.create(f"No. {number}", by=person, triggers=[trigger])
    assert queries() == few <= 14


def test_it_lists_so_many_and_no_more(signed_in: Client) -> None:
    ApiKey.objects.bulk_create([ApiKey(name=f"{n}", prefix=f"{n:08}", digest="x") for n in range(201)])

    page = signed_in.get(PAGE).text
    assert (page.count('class="name"'), "The first 200 are listed" in words(page)) == (200, True)


# --- Rotate, revoke --------------------------------------------------------------------------------------


@pytest.fixture
def old() -> tuple[ApiKey, Client]:
    """A key from 30 days ago for 90 days, and a program that uses it."""
    trigger, now = make_api_trigger(), timezone.now()
    key, clear = ApiKey.create("shop", [Permission.READ], triggers=[trigger], expires_at=now + timedelta(days=60))
    ApiKey.objects.filter(pk=key.pk).update(created_at=now - timedelta(days=30))
    return key, Client(headers={"X-API-Key": clear})


def test_rotating_asks_how_long_the_old_key_works(signed_in: Client, old: tuple[ApiKey, Client]) -> None:
    address = f"{PAGE}{old[0].pk}/rotate/"

    for page in (signed_in.get(address).text, signed_in.get(address, headers=HTMX).text):
        assert "Rotate “shop”?" in words(page)
        assert "Work for 24 hours more" in page
    assert "<dialog" in signed_in.get(address, headers=HTMX).text
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize(("chosen", "lasts"), [("1", 1), ("24", 24), ("168", 168), ("0", 0)])
def test_rotating_makes_a_key_that_may_the_same(
    signed_in: Client, person: User, old: tuple[ApiKey, Client], chosen: str, lasts: int
) -> None:
    key, program = old
    now = timezone.now()

    page = signed_in.post(f"{PAGE}{key.pk}/rotate/", {"old_key": chosen}, follow=True).text

    new_program = Client(headers={"X-API-Key": shown_key(page)})
    assert len(new_program.get("/triggers").json()["triggers"]) == 1
    new = ApiKey.objects.latest("pk")
    assert (new.name, new.scopes, new.is_limited, new.created_by) == ("shop", ["read"], True, person)
    assert list(new.triggers.all()) == list(key.triggers.all())
    assert new.expires_at is not None
    assert timedelta(days=89, hours=23) < new.expires_at - now < timedelta(days=90, hours=1)
    key.refresh_from_db()
    assert program.get("/triggers").status_code == (200 if lasts else 401)
    if lasts:
        assert key.expires_at is not None
        assert abs(key.expires_at - now - timedelta(hours=lasts)) < timedelta(minutes=1)
    assert "replaced" in words(signed_in.get(PAGE).text).lower()


def test_rotating_never_lengthens_the_life_of_the_old_key(signed_in: Client, old: tuple[ApiKey, Client]) -> None:
    soon = timezone.now() + timedelta(minutes=5)
    ApiKey.objects.update(expires_at=soon)

    signed_in.post(f"{PAGE}{old[0].pk}/rotate/", {"old_key": "168"})
    assert ApiKey.objects.earliest("pk").expires_at == soon


@pytest.mark.parametrize("chosen", ["", "1000000", "x"])
def test_rotating_takes_only_the_times_that_are_offered(
    signed_in: Client, old: tuple[ApiKey, Client], chosen: str
) -> None:
    assert signed_in.post(f"{PAGE}{old[0].pk}/rotate/", {"old_key": chosen}).status_code == 422
    assert ApiKey.objects.count() == 1


def test_a_key_is_rotated_once(signed_in: Client, old: tuple[ApiKey, Client]) -> None:
    address = f"{PAGE}{old[0].pk}/rotate/"
    signed_in.post(address, {"old_key": "24"})

    page = signed_in.post(address, {"old_key": "24"}, follow=True)
    assert "It was revoked or rotated meanwhile. Nothing was changed." in page.text
    assert ApiKey.objects.count() == 2


def test_revoking_says_what_it_does_first(signed_in: Client, old: tuple[ApiKey, Client]) -> None:
    key, program = old
    program.get("/triggers")
    key_calls.write()
    address = f"{PAGE}{key.pk}/revoke/"

    for page in (signed_in.get(address).text, signed_in.get(address, headers=HTMX).text):
        assert "Revoke “shop”?" in words(page)
        assert "1 call came with it in the last 24 h." in words(page)
        assert "from 127.0.0.1." in words(page)
    assert program.get("/triggers").status_code == 200


def test_revoking_ends_it_at_once_and_for_good(signed_in: Client, old: tuple[ApiKey, Client]) -> None:
    key, program = old
    page = signed_in.post(f"{PAGE}{key.pk}/revoke/", follow=True).text

    assert "“shop” is revoked." in words(page)
    assert program.get("/triggers").status_code == 401
    key.refresh_from_db()
    revoked_at = key.revoked_at
    signed_in.post(f"{PAGE}{key.pk}/revoke/")
    key.refresh_from_db()
    assert key.revoked_at == revoked_at


@pytest.mark.parametrize("verb", ["rotate", "revoke"])
@pytest.mark.parametrize("pk", [999, 2**70])
def test_there_is_nothing_to_do_to_a_key_that_is_not_there(signed_in: Client, verb: str, pk: int) -> None:
    assert signed_in.get(f"{PAGE}{pk}/{verb}/").status_code == 404
