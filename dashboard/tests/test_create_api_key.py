"""`manage.py create_api_key`."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

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


@pytest.mark.parametrize("name", ["", "  ", "x" * 121, "a\nb"])
def test_it_refuses_a_name_that_is_none(name: str) -> None:
    with pytest.raises(CommandError):
        call_command("create_api_key", name)
    assert not ApiKey.objects.exists()
