"""Columns that hold secrets: clear in Python, encrypted in the database.

Empty text is stored empty, so that a query can ask whether there is a secret. Nothing else can be asked of such a
column, and nothing can export it: both are refused, for they would compare ciphers, or write the clear text out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldError
from django.db import connection, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Lookup

from triggers import vault

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
    """Encrypt the sealed columns of a table by the first key of today, row by row; return how many secrets there were.

    A row that is written in between is left as it was written: it has the first key already. Raises VaultError.
    """
    columns = [field.column for field in model._meta.concrete_fields if isinstance(field, SealedTextField)]
    quote, table = connection.ops.quote_name, model._meta.db_table
    key = quote(str(model._meta.pk.column))
    count = 0
    for column in columns:
        name = quote(str(column))
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {key}, {name} FROM {quote(table)} WHERE {name} <> ''")  # noqa: S608 (our names)
            rows = cursor.fetchall()
            for pk, before in rows:
                statement = f"UPDATE {quote(table)} SET {name} = %s WHERE {key} = %s AND {name} = %s"  # noqa: S608
                cursor.execute(statement, [vault.reseal(before), pk, before])
        count += len(rows)
    return count


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
