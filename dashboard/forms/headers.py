"""The headers of a trigger's requests, a row each: name, value, and whether the value is secret."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from triggers import vault

EMPTY_ROWS = 3  # offered at once, for those whose browser runs no JavaScript
_ROW = re.compile(r"header_name_([0-9]{1,6})")


class Row(NamedTuple):
    """One header as the page shows it. `kept` is the stored name of a secret value that is never shown again."""

    name: str = ""
    value: str = ""
    is_secret: bool = False
    kept: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.name or self.value)


class RowsInput(forms.Widget):
    """Reads `header_name_0`, `header_value_0`, `header_secret_0`, `header_kept_0` and so on; triggers/_headers.html
    draws them. A list of rows under the field's own name is a form that did not come from a browser."""

    template_name = "triggers/_headers.html"
    use_fieldset = True

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> list[Row]:
        if name in data:
            return list(data[name] or ())
        numbers = sorted(int(found[1]) for key in data if (found := _ROW.fullmatch(key)))
        return [
            Row(
                str(data.get(f"header_name_{number}", "")).strip(),
                str(data.get(f"header_value_{number}", "")).strip(" \t"),
                f"header_secret_{number}" in data,
                str(data.get(f"header_kept_{number}", "")),
            )
            for number in numbers
        ]

    def id_for_label(self, id_: str, index: Any = None) -> str:
        return ""


class HeadersField(forms.Field):
    """Cleans to triples [name, value, is_secret], the mask in place of every stored value that stays."""

    widget = RowsInput

    def clean(self, value: Sequence[Row] | None) -> list[list[Any]]:
        return [[row.name, _value(row), row.is_secret] for row in value or () if not row.is_empty]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return [row for row in initial or () if not row.is_empty] != [row for row in data or () if not row.is_empty]


def shown_headers(headers: Sequence[tuple[str, str, bool]]) -> list[Row]:
    """Return stored headers as rows; a secret value is not in them."""
    return [Row(name, "" if secret else value, secret, name if secret else "") for name, value, secret in headers]


def _value(row: Row) -> str:
    if row.is_secret and not row.value and not row.kept:
        words = _("“%(name)s” is secret and has no value. Fill it in, or leave the header out.")
        raise ValidationError(words % {"name": row.name})
    if not row.kept or row.value:
        return row.value
    if row.name.lower() != row.kept.lower():
        words = _("The stored value belongs to “%(stored)s”. Give “%(name)s” a value of its own.")
        raise ValidationError(words % {"stored": row.kept, "name": row.name})
    if not row.is_secret:
        words = _("The value of “%(name)s” is never shown again. Leave it secret, or replace it.")
        raise ValidationError(words % {"name": row.name})
    return vault.MASK
