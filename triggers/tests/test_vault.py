"""Secrets as they are stored: what comes out again, by which key, and what is said when none fits."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from django.conf import LazySettings

from triggers import vault
from triggers.vault import VaultError

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.mark.parametrize("text", ["open-sesame", "", "Grüße 🎉\r\n\x00", "x" * 100_000])
def test_a_secret_comes_out_as_it_went_in(text: str) -> None:
    sealed = vault.seal(text)

    assert vault.open_sealed(sealed) == text
    assert sealed.isascii()
    assert not text or text not in sealed


def test_the_same_secret_never_looks_the_same() -> None:
    assert vault.seal("open-sesame") != vault.seal("open-sesame")


def test_a_new_key_encrypts_and_the_old_one_still_reads(settings: LazySettings) -> None:
    settings.ENCRYPTION_KEYS = [OLD]
    before = vault.seal("open-sesame")
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    after = vault.seal("open-sesame")

    assert vault.open_sealed(before) == "open-sesame"
    settings.ENCRYPTION_KEYS = [NEW]
    assert vault.open_sealed(after) == "open-sesame"
    with pytest.raises(VaultError, match=r"none of the ENCRYPTION_KEYS fits.*back at the end of ENCRYPTION_KEYS"):
        vault.open_sealed(before)


def test_a_secret_that_was_sealed_anew_needs_the_old_key_no_more(settings: LazySettings) -> None:
    settings.ENCRYPTION_KEYS = [OLD]
    before = vault.seal("open-sesame")
    settings.ENCRYPTION_KEYS = [NEW, OLD]
    after = vault.reseal(before)

    settings.ENCRYPTION_KEYS = [NEW]
    assert vault.open_sealed(after) == "open-sesame"
    with pytest.raises(VaultError):
        vault.reseal(before)


@pytest.mark.parametrize("text", ["", "open-sesame", "gAAAAA==", "ß", vault.MASK])
def test_what_was_never_sealed_is_not_opened_and_not_repeated(text: str) -> None:
    for read in (vault.open_sealed, vault.reseal):
        with pytest.raises(VaultError) as caught:
            read(text)
        assert not text or text not in str(caught.value)


def test_a_changed_character_is_noticed() -> None:
    sealed = vault.seal("open-sesame")
    middle = len(sealed) // 2
    changed = sealed[:middle] + ("A" if sealed[middle] != "A" else "B") + sealed[middle + 1 :]

    with pytest.raises(VaultError):
        vault.open_sealed(changed)
