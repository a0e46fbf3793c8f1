"""Replacing a key: put the new one first, run `reencrypt`, leave the old one out; no secret is lost."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import connection

from triggers.models import Recipe
from triggers.tests.factories import make_api_trigger

pytestmark = pytest.mark.django_db

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_a_key_is_replaced_in_three_steps(settings: LazySettings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.ENCRYPTION_KEYS = [OLD]
    make_api_trigger(headers=[["X-Token", "planted", True]])
    make_api_trigger()
    secrets = list(Recipe.objects.order_by("pk").values_list("signing_secret", "headers"))

    settings.ENCRYPTION_KEYS = [NEW, OLD]
    call_command("reencrypt")
    settings.ENCRYPTION_KEYS = [NEW]

    assert list(Recipe.objects.order_by("pk").values_list("signing_secret", "headers")) == secrets
    # Two signing secrets, and two lists of headers.
    assert "4 secrets are encrypted by the first key" in capsys.readouterr().out


def test_it_names_the_way_out_when_a_key_is_missing_and_loses_nothing(settings: LazySettings) -> None:
    settings.ENCRYPTION_KEYS = [OLD]
    make_api_trigger()
    with connection.cursor() as cursor:
        cursor.execute("SELECT signing_secret FROM triggers_recipe")
        before = cursor.fetchall()

    settings.ENCRYPTION_KEYS = [NEW]
    with pytest.raises(CommandError, match="Put the key that it was encrypted by back"):
        call_command("reencrypt")

    with connection.cursor() as cursor:
        cursor.execute("SELECT signing_secret FROM triggers_recipe")
        assert cursor.fetchall() == before
