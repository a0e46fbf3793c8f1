"""Rows out of a database and into one, in one form for both; and what else the two say differently about them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any

from django.db import OperationalError, connection, transaction

from triggers.backups.tables import Column, Table
from triggers.claims.sql import is_postgres

AT_ONCE = 200  # rows in a line of the file: 200 kB mostly, 13 MB where every answer is as large as may be kept
_EXACT = Context(prec=1000)
_SHORT = 1000  # characters of JSON


_OTHERS = (
    "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid() AND backend_type = 'client backend')"
)


class InUse(Exception):
    """Somebody else has the database open."""


@contextmanager
def of_one_instant() -> Iterator[None]:
    """Let all that is read inside be of one instant, while others write."""
    if not is_postgres():
        # Not Django's own transaction, which would take the write lock: in WAL a reader holds nobody up.
        with _plain_transaction("BEGIN"):
            yield
        return
    with transaction.atomic():
        _run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        forget_timeouts()
        yield


@contextmanager
def alone(tables: Sequence[Table]) -> Iterator[None]:
    """Let nobody write to these tables inside. Raises InUse when somebody else has the database open, idle or not."""
    if not is_postgres():
        _run("PRAGMA busy_timeout = 1000")
        _run("PRAGMA locking_mode = EXCLUSIVE")
        try:
            with _plain_transaction("BEGIN EXCLUSIVE"):
                yield
        except OperationalError as error:
            if "locked" not in str(error):
                raise
            raise InUse from error
        finally:
            connection.close()  # the pragmas end with it
        return
    with transaction.atomic():
        _run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        forget_timeouts()
        _run(f"LOCK TABLE {', '.join(_quote(table.name) for table in tables)} IN SHARE MODE")
        if _fetch(_OTHERS)[0][0]:
            raise InUse
        yield


@contextmanager
def _plain_transaction(begin: str) -> Iterator[None]:
    _run(begin)
    try:
        yield
    finally:
        _run("ROLLBACK")


def forget_timeouts() -> None:
    """Let this transaction take as long as it takes; but not wait for others for long."""
    if is_postgres():
        _run("SET LOCAL statement_timeout = 0")
        _run("SET LOCAL idle_in_transaction_session_timeout = 0")
        _run("SET LOCAL lock_timeout = '20s'")


def read(table: Table) -> Iterator[list[tuple[Any, ...]]]:
    """Yield all rows by their key, in chunks."""
    values = ", ".join(_value(column) for column in table.columns)
    with connection.chunked_cursor() as cursor:
        cursor.execute(f"SELECT {values} FROM {_quote(table.name)} ORDER BY {_quote(table.columns[0].name)}")
        while rows := cursor.fetchmany(AT_ONCE):
            yield rows


def insert(table: Table, chunks: Iterable[Sequence[Sequence[Any]]]) -> int:
    """Write rows that come as they were read, of either database; return how many."""
    names = ", ".join(_quote(column.name) for column in table.columns)
    count = 0
    with connection.cursor() as cursor:
        if is_postgres():
            with cursor.copy(f"COPY {_quote(table.name)} ({names}) FROM STDIN") as copy:
                for rows in chunks:
                    for row in rows:
                        copy.write_row(row)
                    count += len(rows)
            return count
        places = ", ".join(["%s"] * len(table.columns))
        for rows in chunks:
            cursor.executemany(f"INSERT INTO {_quote(table.name)} ({names}) VALUES ({places})", rows)
            count += len(rows)
    return count


def holds_any(table: str) -> bool:
    return bool(_fetch(f"SELECT EXISTS (SELECT 1 FROM {_quote(table)})")[0][0])


def count(table: str) -> int:
    return int(_fetch(f"SELECT count(*) FROM {_quote(table)}")[0][0])


def empty(tables: Sequence[str]) -> None:
    """Delete all rows of these tables, which stand after those that they point to."""
    if not tables:
        return
    if is_postgres():
        _run(f"TRUNCATE {', '.join(map(_quote, tables))}")
        return
    for table in reversed(tables):
        _run(f"DELETE FROM {_quote(table)}")


def begin_ids_after(table: Table) -> None:
    """Let the next row of the table get an id that none has. SQLite sees to it by itself."""
    if not is_postgres():
        return
    key = table.columns[0].name
    if _fetch(f"SELECT pg_get_serial_sequence('{_quote(table.name)}', '{key}')")[0][0]:
        _run(
            f"SELECT setval(pg_get_serial_sequence('{_quote(table.name)}', '{key}'), max({_quote(key)})) "
            f"FROM {_quote(table.name)} HAVING max({_quote(key)}) IS NOT NULL"
        )


# --- The same rows in both -------------------------------------------------------------------------------


class Sum:
    """A checksum over the rows of a table that is the same for both databases, whatever they make of JSON's text."""

    def __init__(self, table: Table) -> None:
        self._json = [index for index, column in enumerate(table.columns) if column.kind == "json"]
        self._digest = hashlib.sha256()

    def passing(self, chunks: Iterable[Sequence[Sequence[Any]]]) -> Iterator[Sequence[Sequence[Any]]]:
        """Yield what comes, and add it."""
        for rows in chunks:
            self.add(rows)
            yield rows

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        for row in rows:
            cells = list(row)
            for index in self._json:
                cells[index] = _alike(cells[index])
            self._digest.update(json.dumps(cells, ensure_ascii=False).encode())

    def __str__(self) -> str:
        return self._digest.hexdigest()


def _alike(text: str | None) -> str | None:
    """JSON in one spelling: PostgreSQL keeps the order of keys and the exponent of numbers otherwise than they came."""
    if text is None:
        return None
    return _spelt_short(text) if len(text) <= _SHORT else _spelt(text)


def _spelt(text: str) -> str:
    return json.dumps(json.loads(text, parse_float=_number), sort_keys=True)


# The same payload comes with every event of its trigger. Long ones are spelt anew: kept, they would fill the memory.
_spelt_short = lru_cache(maxsize=10_000)(_spelt)


def _number(text: str) -> int | str:
    number = Decimal(text)
    return int(number) if number == number.to_integral_value(context=_EXACT) else str(number.normalize(_EXACT))


# --- SQL -------------------------------------------------------------------------------------------------


def _value(column: Column) -> str:
    """SQL of a value in the form of its kind."""
    name = _quote(column.name)
    if not is_postgres():
        return f"+{name}"  # an expression has no declared type, from which Django's own adapters would convert it
    if column.kind == "boolean":
        return f"{name}::int"
    if column.kind == "instant":
        return f"replace(to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), '.000000', '')"
    if column.kind == "json":
        return f"{name}::text"
    if column.kind == "address":
        return f"host({name})"
    return name


def _quote(name: str) -> str:
    return connection.ops.quote_name(name)


def _run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def _fetch(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())
