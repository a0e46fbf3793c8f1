"""People: who may sign in, with which role; the links that let them choose a password."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from dashboard import fresh_secrets, people
from dashboard.forms import PersonForm
from dashboard.models import ApiKey, User
from dashboard.permissions import WHAT_ROLES_MAY, Permission, allows
from dashboard.requests import HtmxRequest
from triggers.models import LARGEST_ID

PER_PAGE = 100


@allows(Permission.MANAGE)
@require_GET
def index(request: HtmxRequest) -> HttpResponse:
    """The page, once with the link that was just made."""
    now = timezone.now()
    found = User.objects.for_list()
    number = request.GET.get("page", "")
    page = min(int(number), 1_000_000) if number.isascii() and number.isdigit() and len(number) < 10 else 1
    begin = max(page - 1, 0) * PER_PAGE
    shown = list(found[begin : begin + PER_PAGE + 1])
    words = {
        "people": [(person, people.invitation_ends(person)) for person in shown[:PER_PAGE]],
        "older": page + 1 if len(shown) > PER_PAGE else None,
        "newer": page - 1 if page > 1 else None,
        "roles": WHAT_ROLES_MAY,
        "now": now,
    }
    fresh = _fresh(request)
    answer = render(request, "people/page.html", words | fresh)
    if fresh:
        add_never_cache_headers(answer)
    return answer


def _fresh(request: HttpRequest) -> dict[str, Any]:
    """Return the link that was made a moment ago, for this one view; {} when there is none."""
    pk, path = fresh_secrets.take_any(request.session, fresh_secrets.INVITATION)
    person = User.objects.filter(pk=pk).first() if path else None
    if person is None:
        return {}
    return {"invited": person, "link": request.build_absolute_uri(path), "ends_at": people.invitation_ends(person)}


@allows(Permission.MANAGE)
@require_http_methods(["GET", "POST"])
def add(request: HtmxRequest) -> HttpResponse:
    """Ask who (GET), then add them and make their link, which the list shows once (POST)."""
    form = PersonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                person = form.save(commit=False)
                person.set_unusable_password()
                person.save()
                link = people.invite(request.user, person.pk, timezone.now())
        except IntegrityError:  # somebody else took the name between our looking and our deed
            form.add_error("username", _("This name is taken. Choose another one."))
        except people.Refused as error:
            messages.error(request, str(error))
            return redirect("people-list")
        else:
            fresh_secrets.keep(request.session, person.pk, link, fresh_secrets.INVITATION)
            return redirect("people-list")
    return _show(request, form, None)


@allows(Permission.MANAGE)
@require_http_methods(["GET", "POST"])
def edit(request: HtmxRequest, pk: int) -> HttpResponse:
    person = _person(pk)
    form = PersonForm(request.POST or None, instance=person)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                people.give_role(request.user, person.pk, form.cleaned_data["role"])
                form.instance.save(update_fields=["username", "first_name", "email"])
        except people.Refused as error:
            form.add_error("role", str(error))
        except IntegrityError:
            form.add_error("username", _("This name is taken. Choose another one."))
        else:
            messages.success(request, _("Saved."))
            return redirect("people-list")
    return _show(request, form, _person(pk))


def _show(request: HttpRequest, form: PersonForm, person: User | None) -> HttpResponse:
    words = {"form": form, "person": person, "roles": WHAT_ROLES_MAY}
    return render(request, "people/form.html", words, status=422 if form.errors else 200)


# --- What is done to one ---------------------------------------------------------------------------------


@allows(Permission.MANAGE)
@require_http_methods(["GET", "POST"])
@vary_on_headers("HX-Request")
def invite(request: HtmxRequest, pk: int) -> HttpResponse:
    """Ask first (GET), then make a new link, which the list shows once (POST)."""
    person = _person(pk)
    if request.method == "GET":
        return _ask(request, "invite", {"person": person})

    def make_link() -> None:
        link = people.invite(request.user, pk, timezone.now())
        fresh_secrets.keep(request.session, pk, link, fresh_secrets.INVITATION)

    return _do(request, make_link)


@allows(Permission.MANAGE)
@require_http_methods(["GET", "POST"])
@vary_on_headers("HX-Request")
def switch_off(request: HtmxRequest, pk: int) -> HttpResponse:
    """Ask first (GET), then switch off (POST)."""
    person = _person(pk)
    if request.method == "GET":
        keys = ApiKey.objects.working(timezone.now()).filter(created_by=person).count()
        return _ask(request, "switch_off", {"person": person, "keys": keys})
    said = _("%(name)s is switched off and signed out everywhere.") % {"name": person.called}
    return _do(request, lambda: people.switch_off(request.user, pk), said)


@allows(Permission.MANAGE)
@require_POST
def switch_on(request: HtmxRequest, pk: int) -> HttpResponse:
    said = _("%(name)s may sign in again.") % {"name": _person(pk).called}
    return _do(request, lambda: people.switch_on(request.user, pk), said)


def _do(request: HttpRequest, deed: Callable[[], None], said: str = "") -> HttpResponse:
    """Do it and go back to the list, with what to say; a refusal is said instead."""
    try:
        deed()
    except people.Refused as error:
        messages.error(request, str(error))
    except User.DoesNotExist as error:  # between our looking and our deed
        raise Http404 from error
    else:
        if said:
            messages.success(request, said)
    return redirect("people-list")


def _ask(request: HtmxRequest, verb: str, words: dict[str, Any]) -> HttpResponse:
    return render(request, f"people/_{verb}_dialog.html" if request.htmx else f"people/{verb}.html", words)


def _person(pk: int) -> User:
    return get_object_or_404(User, pk=min(pk, LARGEST_ID))
