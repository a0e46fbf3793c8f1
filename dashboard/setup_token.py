"""The one-time token of the first visit: only who can read the server's log may make the first account."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model


def is_needed() -> bool:
    """Whether the server has no user yet."""
    return not get_user_model()._default_manager.exists()


def token() -> str:
    """Return the token, made on the first call and the same for every process of this DATA_DIR until `forget`.

    Raises OSError when DATA_DIR cannot be written.
    """
    path = _path()
    if not path.exists():
        _make(path)
    return path.read_text(encoding="ascii").strip()


def is_right(given: str) -> bool:
    """Whether `given` is the token; how long this takes tells nothing about it."""
    return secrets.compare_digest(given.encode(), token().encode())


def forget() -> None:
    """Throw the token away once the first account exists."""
    _path().unlink(missing_ok=True)


def _path() -> Path:
    return Path(settings.DATA_DIR) / "setup_token"


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp opens with O_EXCL and mode 0600. The file gets its name only when it is whole: of two processes that
    # start together one gives the name, and the other never reads half a token.
    descriptor, half_made = tempfile.mkstemp(dir=path.parent, prefix=".setup_token_")
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(24))
        os.link(half_made, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(half_made)
