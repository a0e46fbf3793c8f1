"""Columns that hold secrets: clear in Python, encrypted in the database.

Empty text is stored empty, so that a query can ask whether there is a secret. Nothing else can be asked of such a
column, and nothing can export it: both are refused, for they would compare ciphers, or write the clear text out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldError
from django.db import connection, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Lookup

from triggers import vault

AT_ONCE = 200  # secrets that are encrypted anew in one transaction

if TYPE_CHECKING:
    _TextField = models.TextField[Any, Any]
else:
    _TextField = models.TextField  # Django's own class takes no types


class SealedTextField(_TextField):
    """A text. Reading raises VaultError when the key is gone."""

    description = "Encrypted text"

    def get_db_prep_save(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        # What `bulk_update` writes is an expression of this very field, whose values are encrypted each.
        if isinstance(value, models.Expression) and value.output_field != self:
            raise FieldError(f"{self.name} is encrypted, which the database cannot do: give the value itself.")
        return super().get_db_prep_save(value, connection)

    def get_prep_value(self, value: Any) -> str | None:
        if value is None or value == "":
            return None if value is None else ""
        return vault.seal(self._to_text(value))

    def from_db_value(self, value: str | None, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        if value is None or value == "":
            return value
        return self._from_text(vault.open_sealed(value))

    def get_lookup(self, lookup_name: str) -> type[Lookup[Any]] | None:
        if lookup_name != "isnull":
            raise FieldError(f"{self.name} is encrypted: the database cannot look into it. Ask for `isnull` only.")
        return super().get_lookup(lookup_name)

    def get_transform(self, lookup_name: str) -> None:
        raise FieldError(f"{self.name} is encrypted: the database cannot look into it.")

    def value_to_string(self, obj: models.Model) -> str:
        raise FieldError(f"{self.name} is encrypted and is not exported. Back up the database and ENCRYPTION_KEYS.")

    def _to_text(self, value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError(f"{self.name} takes text, not {type(value).__name__}.")
        return value

    def _from_text(self, text: str) -> Any:
        return text


class SealedJSONField(SealedTextField):
    """A JSON value of lists, objects and plain values."""

    description = "Encrypted JSON"

    def to_python(self, value: Any) -> Any:
        return value

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else vault.seal(self._to_text(value))

    def _to_text(self, value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)

    def _from_text(self, text: str) -> Any:
        return json.loads(text)


def reseal(model: type[models.Model]) -> int:
    """Encrypt the sealed columns of a table by the first key of today; return how many secrets there are.

    In small transactions, while others read and write: a row that is written in between is left as it was written. What
    has the first key already is left, too, so that it goes on where it was broken off. Raises VaultError.
    """
    columns = [str(field.column) for field in model._meta.concrete_fields if isinstance(field, SealedTextField)]
    return sum(_reseal_column(model._meta.db_table, str(model._meta.pk.column), column) for column in columns)


def _reseal_column(table: str, key: str, column: str) -> int:
    table, key, column = map(connection.ops.quote_name, (table, key, column))
    count, place = 0, -1
    while rows := _secrets_after(place, table, key, column):
        changed = [(vault.reseal(before), pk, before) for pk, before in rows if not vault.has_first_key(before)]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(f"UPDATE {table} SET {column} = %s WHERE {key} = %s AND {column} = %s", changed)  # noqa: S608 (our names)
        count, place = count + len(rows), rows[-1][0]
    return count


def _secrets_after(place: int, table: str, key: str, column: str) -> list[tuple[int, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {key}, {column} FROM {table} WHERE {column} <> '' AND {key} > %s ORDER BY {key} LIMIT {AT_ONCE}",  # noqa: S608
            [place],
        )
        return list(cursor.fetchall())


def is_readable(model: type[models.Model]) -> bool:
    """Return whether the oldest and the newest secret of each sealed column can be read by the keys of today."""
    rows = model._default_manager.order_by()
    for field in model._meta.concrete_fields:
        if not isinstance(field, SealedTextField):
            continue
        secrets = rows.filter(**{f"{field.name}__isnull": False}).values_list(field.name, flat=True)
        try:
            for order in ("pk", "-pk"):
                secrets.order_by(order).first()
        except vault.VaultError:
            return False
    return True
