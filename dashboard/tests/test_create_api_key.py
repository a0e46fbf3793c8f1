"""`manage.py create_api_key`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from dashboard.models import ApiKey

pytestmark = pytest.mark.django_db


def test_it_prints_the_key_and_only_the_key(capsys: pytest.CaptureFixture[str], client: Client) -> None:
    call_command("create_api_key", "shop")

    printed = capsys.readouterr()
    key = printed.out.removesuffix("\n")
    assert (printed.err, key.split()) == ("", [key])
    assert client.get("/triggers", headers={"X-API-Key": key}).status_code == 200
    assert ApiKey.objects.get().name == "shop"


def test_it_keeps_no_clear_text(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_api_key", "shop")

    key = capsys.readouterr().out.strip()
    assert key not in str(ApiKey.objects.values().get())


def test_it_makes_a_key_that_may_everything_for_ever_unless_it_is_told_otherwise() -> None:
    call_command("create_api_key", "shop")

    key = ApiKey.objects.get()
    assert (key.scopes, key.expires_at, key.is_limited) == (["read", "fire", "write", "metrics"], None, False)


def test_it_gives_the_key_its_scopes_and_its_end() -> None:
    call_command("create_api_key", "shop", scopes="fire, read", expires_days=90)

    key = ApiKey.objects.get()
    assert key.scopes == ["read", "fire"]
    assert key.expires_at is not None
    assert timedelta(days=89) < key.expires_at - timezone.now() <= timedelta(days=90)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scopes": "manage"}, "there is no “manage”. Use some of read, fire, write, metrics"),
        ({"scopes": ""}, "there is no “”"),
        ({"scopes": "read;fire"}, "there is no “read;fire”"),
        ({"expires_days": 0}, "use 1 to 3650"),
        ({"expires_days": 3651}, "use 1 to 3650"),
    ],
)
def test_it_refuses_scopes_and_ends_that_are_none(options: dict[str, Any], words: str) -> None:
    with pytest.raises(CommandError, match=re.escape(words)):
        call_command("create_api_key", "shop", **options)
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("name", ["", "  ", "x" * 121, "a\nb"])
def test_it_refuses_a_name_that_is_none(name: str) -> None:
    with pytest.raises(CommandError):
        call_command("create_api_key", name)
    assert not ApiKey.objects.exists()
