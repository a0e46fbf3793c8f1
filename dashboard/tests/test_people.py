"""The page of people: who may sign in and as what, the links to choose a password by, and no way to lock out."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard import people
from dashboard.models import ApiKey, User
from dashboard.permissions import Role

pytestmark = pytest.mark.django_db

PAGE = "/dashboard/people/"
HTMX = {"HX-Request": "true"}
NEW = {"username": "nia", "first_name": "Nia Okafor", "email": "nia@example.org", "role": "operator"}
PASSWORD = "battery staple 9"


def words(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def shown_link(page: str) -> str:
    """Return the path of the link that the page shows, "" when it shows none."""
    found = re.search(r'id="fresh-link"\s+value="http://testserver([^"]+)"', page)
    return found[1] if found else ""


def add(client: Client, **fields: str) -> str:
    """Add a person and return the path of the link."""
    return shown_link(client.post(f"{PAGE}new/", NEW | fields, follow=True).text)


def accept(link: str, password: str = PASSWORD) -> Any:
    """Choose the password by the link, as a stranger's browser."""
    client = Client()
    at = client.get(link)
    if at.status_code != 302:
        return at
    return client.post(at["Location"], {"new_password1": password, "new_password2": password}, follow=True)


def signed_in_as(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def other_admin(db: None) -> User:
    return User.objects.create_user("olga", password="correct horse battery", role=Role.ADMIN)


# --- A new person ----------------------------------------------------------------------------------------


def test_who_is_added_chooses_a_password_by_the_link_and_is_in(signed_in: Client) -> None:
    link = add(signed_in)

    answer = accept(link)
    assert answer.redirect_chain[-1][0] == "/dashboard/"
    assert "Welcome, Nia Okafor." in words(answer.text)
    nia = User.objects.get(username="nia")
    assert (nia.role, nia.email, nia.check_password(PASSWORD), nia.is_superuser) == (
        "operator",
        "nia@example.org",
        True,
        False,
    )


def test_nobody_comes_in_before_a_password_is_chosen(signed_in: Client) -> None:
    add(signed_in)

    for password in ("", "!", User.objects.get(username="nia").password):
        answer = Client().post("/login", {"username": "nia", "password": password})
        assert answer.status_code == 200
    assert "Invited" in words(signed_in.get(PAGE).text)


def test_who_is_added_without_a_choice_of_role_is_refused_and_the_form_offers_viewer(signed_in: Client) -> None:
    page = signed_in.get(f"{PAGE}new/").text
    assert re.search(r'value="viewer"\s+checked', page)
    assert signed_in.post(f"{PAGE}new/", NEW | {"role": ""}).status_code == 422


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"username": ""}, "Choose a name to sign in with."),
        ({"username": "mara"}, "This name is taken. Choose another one."),
        ({"username": "n i a"}, "valid username"),
        ({"email": "nia"}, "valid email"),
        ({"role": "king"}, "king is not one of the available choices"),
    ],
)
def test_it_says_what_is_wrong(signed_in: Client, fields: dict[str, str], said: str) -> None:
    answer = signed_in.post(f"{PAGE}new/", NEW | fields)

    assert answer.status_code == 422
    assert said in words(answer.text)
    assert User.objects.count() == 1


# --- The link --------------------------------------------------------------------------------------------


def test_the_link_is_shown_once_and_stored_nowhere(signed_in: Client) -> None:
    answer = signed_in.post(f"{PAGE}new/", NEW, follow=True)
    link = shown_link(answer.text)

    assert "no-store" in answer["Cache-Control"]
    assert 'hx-history="false"' in answer.text
    assert shown_link(signed_in.get(PAGE).text) == ""
    token = link.split("/")[3]
    assert token not in str(User.objects.values().get(username="nia"))
    assert token not in str(dict(signed_in.session))


def test_the_link_works_once(signed_in: Client) -> None:
    link = add(signed_in)
    accept(link)

    again = accept(link, "something else 7")
    assert (again.status_code, "This link works no more" in again.text) == (410, True)
    assert User.objects.get(username="nia").check_password(PASSWORD)


@pytest.mark.parametrize(("days", "status"), [(2.9, 200), (3.1, 410)])
def test_the_link_works_for_three_days(person: User, viewer: User, days: float, status: int) -> None:
    link = people.invite(person, viewer.pk, timezone.now() - timedelta(days=days))

    assert accept(link).status_code == status


def test_a_newer_link_ends_the_one_before(signed_in: Client) -> None:
    first = add(signed_in)
    nia = User.objects.get(username="nia")

    second = shown_link(signed_in.post(f"{PAGE}{nia.pk}/invite/", follow=True).text)

    assert accept(first).status_code == 410
    assert accept(second).status_code == 200


def test_a_link_for_who_forgot_the_password(signed_in: Client, operator: User) -> None:
    before = signed_in_as(operator)
    for page in (
        signed_in.get(f"{PAGE}{operator.pk}/invite/"),
        signed_in.get(f"{PAGE}{operator.pk}/invite/", headers=HTMX),
    ):
        assert "until then the one of today works" in words(page.text)

    link = shown_link(signed_in.post(f"{PAGE}{operator.pk}/invite/", follow=True).text)
    assert before.get("/dashboard/").status_code == 200  # nothing has changed so far
    accept(link)

    operator.refresh_from_db()
    assert operator.check_password(PASSWORD)
    assert before.get("/dashboard/").status_code == 302  # signed out by the new password


def test_a_sign_in_ends_the_link(signed_in: Client, operator: User) -> None:
    link = shown_link(signed_in.post(f"{PAGE}{operator.pk}/invite/", follow=True).text)
    Client().post("/login", {"username": "ola", "password": "correct horse battery"})

    assert accept(link).status_code == 410


def test_a_switch_off_ends_the_link_for_good(signed_in: Client) -> None:
    link = add(signed_in)
    nia = User.objects.get(username="nia")
    signed_in.post(f"{PAGE}{nia.pk}/switch-off/")

    assert accept(link).status_code == 410
    signed_in.post(f"{PAGE}{nia.pk}/switch-on/")
    assert accept(link).status_code == 410


@pytest.mark.parametrize(
    "link",
    ["/invitation/MQ/x-y/", "/invitation/zz/set-password/", "/invitation/MQ/set-password/", "/invitation/OTk5/a-b/"],
)
def test_a_made_up_link_opens_nothing(client: Client, person: User, link: str) -> None:
    answer = client.get(link)

    assert answer.status_code == 410
    assert "Ask an administrator" in answer.text
    assert client.post(link, {"new_password1": PASSWORD, "new_password2": PASSWORD}).status_code == 410


def test_the_token_leaves_the_address_before_the_page_is_shown(signed_in: Client) -> None:
    link = add(signed_in)

    answer = Client().get(link, follow=True)
    assert answer.redirect_chain[-1][0].endswith("/set-password/")
    assert "no-store" in answer["Cache-Control"]
    assert link not in answer.text


def test_a_weak_password_is_refused(signed_in: Client) -> None:
    link = add(signed_in)

    assert "too common" in accept(link, "password").text
    assert accept(link, "password").status_code == 422
    assert not User.objects.get(username="nia").has_usable_password()


# --- Roles -----------------------------------------------------------------------------------------------


def edit(client: Client, person: User, **fields: str) -> Any:
    shown = {"username": person.username, "first_name": person.first_name, "email": person.email, "role": person.role}
    return client.post(f"{PAGE}{person.pk}/", shown | fields)


def test_a_new_role_counts_from_the_next_request_on(signed_in: Client, viewer: User) -> None:
    theirs = signed_in_as(viewer)
    assert theirs.get("/dashboard/triggers/new/").status_code == 403

    assert edit(signed_in, viewer, role="operator", first_name="Vera M").status_code == 302
    assert theirs.get("/dashboard/triggers/new/").status_code == 200
    edit(signed_in, viewer, role="viewer")
    assert theirs.get("/dashboard/triggers/new/").status_code == 403
    viewer.refresh_from_db()
    assert (viewer.role, viewer.first_name) == ("viewer", "")


def test_editing_changes_nothing_that_is_not_in_the_form(signed_in: Client, viewer: User) -> None:
    edit(signed_in, viewer, username="vera2", email="v@example.org")

    viewer.refresh_from_db()
    assert (viewer.username, viewer.email, viewer.check_password("correct horse battery")) == (
        "vera2",
        "v@example.org",
        True,
    )


def test_the_only_administrator_stays_one(signed_in: Client, person: User) -> None:
    User.objects.create_user("nia", role=Role.ADMIN)  # invited, cannot sign in so far
    User.objects.create_user("olga", password="correct horse", role=Role.ADMIN, is_active=False)

    answer = edit(signed_in, person, role="viewer", first_name="Mara")
    assert answer.status_code == 422
    assert "mara is the only administrator who can sign in. Make somebody else one first." in words(answer.text)
    page = signed_in.post(f"{PAGE}{person.pk}/switch-off/", follow=True).text
    assert "is the only administrator who can sign in." in words(page)
    person.refresh_from_db()
    assert (person.role, person.is_active, person.first_name) == ("admin", True, "")


def test_nobody_takes_their_own_access_away(signed_in: Client, person: User, other_admin: User) -> None:
    answer = edit(signed_in, person, role="operator")
    assert "You cannot take your own access away. Another administrator can." in words(answer.text)
    page = signed_in.post(f"{PAGE}{person.pk}/switch-off/", follow=True).text
    assert "You cannot take your own access away." in words(page)

    person.refresh_from_db()
    assert (person.role, person.is_active) == ("admin", True)
    assert edit(signed_in_as(other_admin), person, role="operator").status_code == 302


def test_one_may_change_ones_own_name(signed_in: Client, person: User) -> None:
    assert edit(signed_in, person, first_name="Mara Lindqvist").status_code == 302
    person.refresh_from_db()
    assert person.called == "Mara Lindqvist"


def test_who_is_no_administrator_any_more_does_nothing(person: User, other_admin: User, viewer: User) -> None:
    """Between the request's beginning and the deed somebody else took the role away."""
    User.objects.filter(pk=person.pk).update(role=Role.VIEWER)

    for deed in (
        lambda: people.give_role(person, viewer.pk, "admin"),
        lambda: people.switch_off(person, viewer.pk),
        lambda: people.switch_on(person, viewer.pk),
        lambda: people.invite(person, viewer.pk, timezone.now()),
    ):
        with pytest.raises(people.Refused, match="You are no administrator any more"):
            deed()


@pytest.mark.django_db(transaction=True)
def test_of_two_who_take_each_others_role_away_at_once_one_stays(person: User, other_admin: User) -> None:
    both, refused = Barrier(2), []

    def take(by: User, from_whom: User) -> None:
        both.wait()
        try:
            people.give_role(by, from_whom.pk, "viewer")
        except people.Refused as error:
            refused.append(str(error))
        finally:
            connection.close()

    threads = [Thread(target=take, args=pair) for pair in ((person, other_admin), (other_admin, person))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert len(refused) == 1
    assert User.objects.administrators().count() == 1


# --- Off and on ------------------------------------------------------------------------------------------


def test_switching_off_asks_first(signed_in: Client, operator: User) -> None:
    ApiKey.create("theirs", by=operator)
    ApiKey.create("over", by=operator, expires_at=timezone.now())

    for page in (
        signed_in.get(f"{PAGE}{operator.pk}/switch-off/"),
        signed_in.get(f"{PAGE}{operator.pk}/switch-off/", headers=HTMX),
    ):
        assert "Switch ola off?" in words(page.text)
        assert "1 API key that they made goes on working" in words(page.text)
    operator.refresh_from_db()
    assert operator.is_active


def test_who_is_switched_off_is_out_at_once_and_stays_out(signed_in: Client, operator: User) -> None:
    theirs = signed_in_as(operator)
    assert theirs.get("/dashboard/").status_code == 200

    page = signed_in.post(f"{PAGE}{operator.pk}/switch-off/", follow=True).text

    assert "ola is switched off and signed out everywhere." in words(page)
    assert theirs.get("/dashboard/").status_code == 302
    assert theirs.get("/triggers").status_code == 401
    assert Client().post("/login", {"username": "ola", "password": "correct horse battery"}).status_code == 200
    assert signed_in.get(PAGE).status_code == 200
    assert Session.objects.count() == 1


def test_who_is_switched_on_again_signs_in_anew(signed_in: Client, operator: User) -> None:
    theirs = signed_in_as(operator)
    signed_in.post(f"{PAGE}{operator.pk}/switch-off/")
    signed_in.post(f"{PAGE}{operator.pk}/switch-on/")

    assert theirs.get("/dashboard/").status_code == 302  # the old session is gone for good
    assert Client().post("/login", {"username": "ola", "password": "correct horse battery"}).status_code == 302


def test_who_is_off_gets_no_link(signed_in: Client, operator: User) -> None:
    User.objects.filter(pk=operator.pk).update(is_active=False)

    page = signed_in.post(f"{PAGE}{operator.pk}/invite/", follow=True).text
    assert (shown_link(page), "Switch it on first." in words(page)) == ("", True)


@pytest.mark.parametrize("verb", ["", "invite/", "switch-off/", "switch-on/"])
@pytest.mark.parametrize("pk", [999, 2**70])
def test_there_is_nothing_to_do_to_who_is_not_there(signed_in: Client, verb: str, pk: int) -> None:
    assert signed_in.post(f"{PAGE}{pk}/{verb}").status_code == 404


# --- The list --------------------------------------------------------------------------------------------


def test_it_says_who_may_sign_in_and_as_what(signed_in: Client, person: User, viewer: User, operator: User) -> None:
    now = timezone.now()
    User.objects.filter(pk=viewer.pk).update(is_active=False)
    User.objects.filter(pk=operator.pk).update(last_login=now - timedelta(minutes=17), first_name="Ola Berg")
    nia = User.objects.create_user("nia")
    User.objects.filter(pk=nia.pk).update(invited_at=now - timedelta(days=4))

    page = words(signed_in.get(PAGE).text)
    assert "mara you mara@example.org Administrator" in page
    assert "Ola Berg ola, ola@example.org Operator 17 min ago On" in page
    assert "nia Viewer Never Invitation ended" in page
    assert "vera vera@example.org Viewer Never Off" in page
    assert page.index("vera@example.org") > page.index("Ola Berg")


@pytest.mark.parametrize("page", ["0", "-1", "x", "9" * 40, "7"])
def test_a_page_that_cannot_be_is_another_or_empty(signed_in: Client, page: str) -> None:
    assert signed_in.get(f"{PAGE}?page={page}").status_code == 200


def test_it_asks_the_database_as_often_for_many_as_for_one(signed_in: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            signed_in.get(PAGE)
        return len(asked)

    queries()
    few = queries()
    for number in range(101):
        User.objects.create_user(f"p{number}", first_name=f"P {number}")
    assert queries() == few
    assert signed_in.get(PAGE).text.count('class="name"') == 100
    assert signed_in.get(f"{PAGE}?page=2").text.count('class="name"') == 2
