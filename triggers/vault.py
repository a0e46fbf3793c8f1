"""Secrets as they are stored: encrypted by the first of ENCRYPTION_KEYS, read by any. Pure, but for the setting."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

MASK = "••••••"  # what stands wherever a secret is shown


class VaultError(Exception):
    """A secret cannot be read, because the key is gone or the text is not one of ours; the words say the way out."""


def seal(text: str) -> str:
    """Return the text, encrypted. The same text comes out differently every time."""
    return _keys().encrypt(text.encode()).decode()


def open_sealed(sealed: str) -> str:
    """Return the clear text of what `seal` returned; raises VaultError when none of the keys fits."""
    try:
        return _keys().decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise _no_key_fits() from error


def reseal(sealed: str) -> str:
    """Return the same secret, encrypted by the first key of today; raises VaultError when none of the keys fits."""
    try:
        return _keys().rotate(sealed.encode()).decode()
    except InvalidToken as error:
        raise _no_key_fits() from error


def has_first_key(sealed: str) -> bool:
    """Return whether the secret is encrypted by the first key of today."""
    try:
        Fernet(settings.ENCRYPTION_KEYS[0]).decrypt(sealed.encode())
    except InvalidToken:
        return False
    return True


def _no_key_fits() -> VaultError:
    return VaultError(
        "This secret cannot be read: none of the ENCRYPTION_KEYS fits. Put the key that it was encrypted by "
        "back at the end of ENCRYPTION_KEYS, or enter the secret again."
    )


def _keys() -> MultiFernet:
    return _keys_of(tuple(settings.ENCRYPTION_KEYS))


@lru_cache(maxsize=1)
def _keys_of(keys: Sequence[str]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])
