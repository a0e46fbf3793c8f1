"""A secret that is shown once: carried to the page that shows it in the session, encrypted, for exactly one view."""

from __future__ import annotations

from django.contrib.sessions.backends.base import SessionBase

from triggers import vault

_PLACE = "fresh_signing_secret"


def keep(session: SessionBase, trigger_id: int, secret: str) -> None:
    """Keep the secret for the next view of its trigger; one before it that nobody looked at is gone."""
    session[_PLACE] = [trigger_id, vault.seal(secret)]


def take(session: SessionBase, trigger_id: int) -> str:
    """Return the secret that was kept for this trigger, and forget it; "" when there is none."""
    kept = session.get(_PLACE)
    if not kept or kept[0] != trigger_id:
        return ""
    del session[_PLACE]
    try:
        return vault.open_sealed(kept[1])
    except vault.VaultError:  # the keys have changed meanwhile
        return ""
