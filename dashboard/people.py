"""People come and go: invited by a link, given a role, switched off and on. Nobody can lock everybody out.

There is no mail server: who invites sends the link. In it is Django's signed token: it works once, for three days, and
a new one, a sign-in or a switch-off makes it worthless. Each deed is one transaction that holds the administrators'
rows, so that of two who take each other's role away at once one is refused.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _

from dashboard.models import User

INVITATION_LASTS = timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)


class Refused(Exception):
    """It would lock somebody out, or is not for this person to do; the words say what to do instead."""


class _Tokens(PasswordResetTokenGenerator):
    key_salt = "dashboard.people.invitation"

    def _make_hash_value(self, user: Any, timestamp: int) -> str:
        # Not their email, as Django has it: a typo may be mended while the link is on its way.
        return f"{user.pk}-{user.password}-{user.last_login}-{user.invited_at}-{timestamp}"

    def check_token(self, user: Any, token: str | None) -> bool:
        if user is None or not user.is_active or user.invited_at is None:
            return False
        return timezone.now() - user.invited_at < INVITATION_LASTS and super().check_token(user, token)


tokens = _Tokens()


def invite(by: User, pk: int, now: datetime) -> str:
    """Return the path of the link by which this person chooses a password; one from before works no more.

    Raises User.DoesNotExist and Refused.
    """
    with transaction.atomic():
        person = _held(by, pk)
        if not person.is_active:
            raise Refused(_("This account is switched off. Switch it on first."))
        person.invited_at = now
        person.save(update_fields=["invited_at"])
    uid = urlsafe_base64_encode(force_bytes(person.pk))
    return reverse("invitation", args=[uid, tokens.make_token(person)])


def invitation_ends(person: User) -> datetime | None:
    """Return until when the person's link works; None when there is none."""
    return person.invited_at + INVITATION_LASTS if person.invited_at else None


def give_role(by: User, pk: int, role: str) -> None:
    """Give this person a role, which counts from their next request on. Raises User.DoesNotExist and Refused."""
    with transaction.atomic():
        person = _held(by, pk)
        if person.role == role:
            return
        _refuse_to_lock_out(by, person)
        person.role = role
        person.save(update_fields=["role"])


def switch_off(by: User, pk: int) -> None:
    """Let this person in no more; their sessions end and their link is worthless. Raises as give_role()."""
    with transaction.atomic():
        person = _held(by, pk)
        _refuse_to_lock_out(by, person)
        person.is_active, person.invited_at = False, None
        person.save(update_fields=["is_active", "invited_at"])
        _end_sessions(person)


def switch_on(by: User, pk: int) -> None:
    """Let this person in again, by the password from before. Raises as give_role()."""
    with transaction.atomic():
        person = _held(by, pk)
        person.is_active = True
        person.save(update_fields=["is_active"])


def _held(by: User, pk: int) -> User:
    """Return the person, with the rows of all administrators held until the transaction's end."""
    held = User.objects.select_for_update().filter(Q(role=User.Role.ADMIN) | Q(pk=pk)).order_by("pk")
    found = {person.pk: person for person in held}
    actor = found.get(by.pk)
    if actor is None or not actor.is_active or actor.role != User.Role.ADMIN:
        raise Refused(_("You are no administrator any more. Nothing was changed."))
    if pk not in found:
        raise User.DoesNotExist
    return found[pk]


def _refuse_to_lock_out(by: User, person: User) -> None:
    if person.role == User.Role.ADMIN and not User.objects.administrators().exclude(pk=person.pk).exists():
        raise Refused(
            _("%(name)s is the only administrator who can sign in. Make somebody else one first.")
            % {"name": person.called}
        )
    if person.pk == by.pk:
        raise Refused(_("You cannot take your own access away. Another administrator can."))


def _end_sessions(person: User) -> None:
    # Whose a session is stands inside it, so each has to be opened.
    for session in Session.objects.iterator():
        if session.get_decoded().get("_auth_user_id") == str(person.pk):
            session.delete()
