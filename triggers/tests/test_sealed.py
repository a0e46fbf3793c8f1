"""Columns that hold secrets: what stands in the database, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import LazySettings
from django.core import serializers
from django.core.exceptions import FieldError
from django.db import connection, models
from django.db.models import F, Value
from django.db.models.functions import Concat
from django.test.utils import isolate_apps

from triggers.sealed import SealedJSONField, SealedTextField
from triggers.vault import VaultError

PLANTED = "open-sesame"


@pytest.fixture
def safe(transactional_db: None) -> Iterator[Any]:
    """A model of its own with a table of its own: the fields as Django uses them."""
    with isolate_apps("triggers"):

        class Safe(models.Model):
            text = SealedTextField(blank=True, default="")
            pairs = SealedJSONField(null=True)

            class Meta:
                app_label = "triggers"

            def __str__(self) -> str:
                return f"safe {self.pk}"

    with connection.schema_editor() as editor:
        editor.create_model(Safe)
    yield Safe
    with connection.schema_editor() as editor:
        editor.delete_model(Safe)


def stored(column: str) -> list[str | None]:
    """What is in the database, past Django."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM triggers_safe ORDER BY id")  # noqa: S608
        return [value for (value,) in cursor.fetchall()]


def test_the_database_never_holds_the_clear_text(safe: Any) -> None:
    safe.objects.create(text=PLANTED, pairs=[["Authorization", PLANTED]])
    safe.objects.bulk_create([safe(text=PLANTED, pairs={"a": PLANTED})])
    third, fourth = safe.objects.create(), safe.objects.create()
    safe.objects.update_or_create(pk=third.pk, defaults={"text": PLANTED, "pairs": PLANTED})
    safe.objects.filter(pk=fourth.pk).update(text=PLANTED, pairs=PLANTED)
    rows = list(safe.objects.all())
    safe.objects.bulk_update(rows, ["text", "pairs"])

    for value in [*stored("text"), *stored("pairs")]:
        assert value
        assert PLANTED not in value
    read = list(safe.objects.order_by("pk"))
    assert [row.text for row in read] == [PLANTED] * 4
    assert [row.pairs for row in read] == [[["Authorization", PLANTED]], {"a": PLANTED}, PLANTED, PLANTED]
    assert list(safe.objects.values_list("text", flat=True)) == [PLANTED] * 4


def test_empty_and_nothing_stay_what_they_are(safe: Any) -> None:
    safe.objects.create(text="", pairs=None)

    assert (stored("text"), stored("pairs")) == ([""], [None])
    row = safe.objects.get(pairs__isnull=True)
    assert (row.text, row.pairs) == ("", None)


@pytest.mark.parametrize("value", [[], {}, "", 0, False, "null", [["näme", "\x01 🎉"]], {"a": [1.5, None]}])
def test_json_comes_out_as_it_went_in(safe: Any, value: Any) -> None:
    safe.objects.create(pairs=value)

    assert safe.objects.get().pairs == value
    assert type(safe.objects.get().pairs) is type(value)


@pytest.mark.parametrize(
    "look",
    [
        lambda safe: safe.objects.filter(text=PLANTED),
        lambda safe: safe.objects.filter(text__contains="open"),
        lambda safe: safe.objects.filter(text__in=[PLANTED]),
        lambda safe: safe.objects.filter(pairs={"a": PLANTED}),
        lambda safe: safe.objects.filter(pairs__a=PLANTED),
        lambda safe: safe.objects.filter(text__upper__length=1),
    ],
)
def test_the_database_is_not_asked_to_look_into_it(safe: Any, look: Any) -> None:
    with pytest.raises(FieldError, match="is encrypted"):
        list(look(safe))


def test_it_is_not_copied_or_computed_in_the_database(safe: Any) -> None:
    for expression in (F("pairs"), Value(PLANTED), Concat(Value(PLANTED), Value("!"))):
        with pytest.raises(FieldError, match="is encrypted"):
            safe.objects.update(text=expression)


def test_it_is_not_exported(safe: Any) -> None:
    safe.objects.create(text=PLANTED)

    with pytest.raises(FieldError, match="is encrypted and is not exported"):
        serializers.serialize("json", safe.objects.all())


@pytest.mark.parametrize("value", [7, b"bytes", ["list"]])
def test_a_text_column_takes_text_only(safe: Any, value: Any) -> None:
    with pytest.raises(TypeError, match="text takes text"):
        safe.objects.create(text=value)


def test_reading_without_the_key_fails_loudly(safe: Any, settings: LazySettings) -> None:
    safe.objects.create(text=PLANTED)
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]

    with pytest.raises(VaultError, match="none of the ENCRYPTION_KEYS fits"):
        safe.objects.get()
    assert safe.objects.defer("text", "pairs").get().pk == 1


def test_clear_text_that_found_its_way_into_the_column_is_not_taken_for_a_secret(safe: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO triggers_safe (text) VALUES ('open-sesame')")

    with pytest.raises(VaultError):
        safe.objects.get()
