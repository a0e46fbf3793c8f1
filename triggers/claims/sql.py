"""What the two databases say differently, in one place: rows as tables, sets of ids, instants."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson
from django.db import connection


@cache  # asked for every instant of every row, and Django's connection is slow to look at
def is_postgres() -> bool:
    return connection.vendor == "postgresql"


def rows_table(columns: dict[str, str], rows: Sequence[tuple[Any, ...]]) -> tuple[str, list[Any]]:
    """Return SQL of a table `r` with these columns (name → PostgreSQL type), and the parameters that fill it.

    All rows travel as one JSON text. (Measured on SQLite: rows as lists cost half of rows as objects; `executemany`
    costs as much as lists, but gives up the interpreter at every row; JSON within the rows, unfolded by SQLite, costs
    more than JSON in a text. On PostgreSQL: a list for every column costs psycopg ten times as much.)
    """
    if is_postgres():
        cells = ", ".join(
            f"CAST(value ->> {index} AS {kind}) AS {name}" for index, (name, kind) in enumerate(columns.items())
        )
        return f"(SELECT {cells} FROM jsonb_array_elements(%s::jsonb)) AS r", [as_json(rows)]
    cells = ", ".join(f"value ->> {index} AS {name}" for index, name in enumerate(columns))
    return f"(SELECT {cells} FROM json_each(%s)) AS r", [as_json(rows)]


def among() -> str:
    """SQL that an id is one of a set, which comes as one parameter (`id_set`).

    PostgreSQL takes an array: of rows of JSON it cannot guess how many there are, and may compare each with each event
    that waits (500 among 3,000: 250 ms instead of 8).
    """
    return "= ANY(%s::bigint[])" if is_postgres() else "IN (SELECT value FROM json_each(%s))"


def id_set(pks: Iterable[int]) -> list[int] | str:
    """Return ids as the parameter of `among`."""
    return list(pks) if is_postgres() else json.dumps(list(pks))


def as_json(value: Any) -> str:
    """JSON text, made in a quarter of the time that the standard library takes."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # half a character, say, which it refuses
        return json.dumps(value, default=str)


def skip_locked(table: str) -> str:
    """Rows that an editor holds right now are left for the next pass; SQLite has one writer at a time anyway.

    NO KEY: a fire by API only has to know that its trigger is there; it neither waits for the lock nor is in its way.
    """
    return f" FOR NO KEY UPDATE OF {table} SKIP LOCKED" if is_postgres() else ""


def locked_in_order(table: str) -> str:
    """Rows of a query are locked in the order of their ids, so that two who want the same never wait in a circle."""
    return f" ORDER BY {table}.id FOR NO KEY UPDATE OF {table}" if is_postgres() else ""


def locked(table: str, wanted: str) -> str:
    """SQL that an id is one of those rows, which are locked in order. As an array: PostgreSQL joins the rows badly."""
    rows = f"SELECT id FROM {table} WHERE {wanted}{locked_in_order(table)}"
    return f"= ANY(ARRAY({rows}))" if is_postgres() else f"IN ({rows})"


def timestamp(sql: str) -> str:
    return f"CAST({sql} AS timestamptz)" if is_postgres() else sql


def instant(at: datetime | None) -> datetime | str | None:
    """An aware instant as the database takes it; SQLite compares texts, so in UTC and in Django's own form."""
    if at is None or is_postgres():
        return at
    return at.astimezone(UTC).isoformat(" ").removesuffix("+00:00")


def aware(value: datetime | str) -> datetime:
    """An instant as it comes from either database, aware. SQLite's are in UTC and do not say so, as text or not."""
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def aware_if_any(value: datetime | str | None) -> datetime | None:
    return None if value is None else aware(value)


def run(sql: str, *parameters: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)


def fetch(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
