"""A list in pages, bounded in entries and in size: the next page begins after the last id of this one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from django.db.models import QuerySet

from triggers.models import Change, Event, Trigger

Row = TypeVar("Row", Trigger, Event, Change)

LARGEST_ANSWER = 8 * 1024 * 1024  # characters of what may be large: 1,000 payloads would be a quarter of a gigabyte
CHUNK = 200  # rows that are read at once


def cut(rows: QuerySet[Row], limit: int) -> tuple[list[Row], str | None]:
    """Return the first rows, at most `limit` and fewer where they are large, and the cursor of the next page.

    The cursor is None when these are all. `rows` are in the order of their key, up or down.
    """
    page: list[Row] = []
    size = 0
    for row in _by_key(rows, limit + 1):
        if len(page) == limit or size > LARGEST_ANSWER:
            return page, str(page[-1].pk)
        page.append(row)
        size += _size(row)
    return page, None


def _by_key(rows: QuerySet[Row], most: int) -> Iterator[Row]:
    """Yield the first `most` rows, a part in memory at a time. (A pooler keeps no cursor of the database.)"""
    beyond = "pk__lt" if str(rows.query.order_by[0]).startswith("-") else "pk__gt"
    rest = rows
    while most > 0:
        part = list(rest[: min(most, CHUNK)])
        yield from part
        if len(part) < CHUNK:
            return
        most -= CHUNK
        rest = rows.filter(**{beyond: part[-1].pk})


def _size(row: Trigger | Event | Change) -> int:
    if isinstance(row, Change):
        return len(str(row.differences))
    size = len(str(row.payload))
    if isinstance(row, Trigger) and row.recipe:
        size += len(row.recipe.body_template) + len(row.recipe.client_certificate) + len(str(row.recipe.headers))
    return size
