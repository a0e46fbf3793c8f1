"""A secret that is shown once: carried to the page that shows it in the session, encrypted, for exactly one view."""

from __future__ import annotations

from django.contrib.sessions.backends.base import SessionBase

from triggers import vault

SIGNING_SECRET = "signing_secret"  # noqa: S105 (a kind of secret, not one)
API_KEY = "api_key"
INVITATION = "invitation"


def keep(session: SessionBase, subject_id: int, secret: str, kind: str = SIGNING_SECRET) -> None:
    """Keep the secret for the next view of its subject; one of the kind before it that nobody looked at is gone."""
    session[f"fresh_{kind}"] = [subject_id, vault.seal(secret)]


def take(session: SessionBase, subject_id: int, kind: str = SIGNING_SECRET) -> str:
    """Return the secret that was kept for this subject, and forget it; "" when there is none."""
    kept = session.get(f"fresh_{kind}")
    if not kept or kept[0] != subject_id:
        return ""
    return take_any(session, kind)[1]


def take_any(session: SessionBase, kind: str) -> tuple[int, str]:
    """Return whose secret of this kind was kept, and the secret, and forget it; (0, "") when there is none."""
    kept = session.pop(f"fresh_{kind}", None)
    if not kept:
        return 0, ""
    try:
        return kept[0], vault.open_sealed(kept[1])
    except vault.VaultError:  # the keys have changed meanwhile
        return 0, ""
