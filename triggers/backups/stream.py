"""The form of a backup: gzip of JSON lines, with a header in front and the counts and a checksum at the end.

{"format": 1, "version": "0.1.0", "made_at": …, "migrations": {"triggers": ["0011_…"], …}, …}
{"table": "triggers_trigger", "columns": [["id", "plain"], ["starts_at", "instant"], …]}
[[1, "2026-11-24 10:00:00", …], …]              some rows; as many such lines as it takes
{"end": {"triggers_trigger": 1, …}, "sha256": …}   of all lines before, to the letter
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from triggers.backups.tables import Column, Table

FORMAT = 1
LEVEL = 1  # of gzip: 6 takes twice as long for a tenth less

Row = Sequence[Any]


class BackupError(Exception):
    """What is there is no whole backup, or none for this server; the words say which, and the way out."""


@dataclass(frozen=True, slots=True)
class Header:
    """What stands in front. `migrations`: the newest applied ones of each app."""

    version: str
    made_at: str  # ISO 8601, UTC
    database: str  # "sqlite" or "postgresql": what it was made from
    has_events: bool
    migrations: dict[str, list[str]]
    format: int = FORMAT


class Writer:
    """Writes a backup to a binary file; without `end()` it is none."""

    def __init__(self, file: IO[bytes], header: Header, level: int = LEVEL) -> None:
        self.counts: dict[str, int] = {}
        self._digest = hashlib.sha256()
        # No time and no name in it: the same rows make the same file.
        self._zip = gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=level, mtime=0)
        self._line(dataclasses.asdict(header))

    def table(self, table: Table, chunks: Iterable[Sequence[Row]]) -> int:
        """Write a table with its rows; return how many there were."""
        self._line({"table": table.name, "columns": [[column.name, column.kind] for column in table.columns]})
        count = 0
        for rows in chunks:
            self._line(rows)
            count += len(rows)
        self.counts[table.name] = count
        return count

    def end(self) -> None:
        self._line({"end": self.counts, "sha256": self._digest.hexdigest()})
        self._zip.close()

    def give_up(self) -> None:
        """Write no more, also not what is still to be flushed: the file is gone, or will be."""
        self._zip.fileobj = None  # type: ignore[assignment]  # as GzipFile itself does when it is closed

    def _line(self, value: Any) -> None:
        line = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        self._digest.update(line)
        self._zip.write(line)


class Reader:
    """Reads a backup from a binary file: its header at once, then table by table. Raises BackupError."""

    def __init__(self, file: IO[bytes]) -> None:
        self._digest = hashlib.sha256()
        self._zip = gzip.GzipFile(mode="rb", fileobj=file)
        self._counts: dict[str, int] = {}
        self.header = _header(self._next())

    def tables(self) -> Iterator[tuple[Table, Iterator[list[list[Any]]]]]:
        """Yield each table with its rows in chunks, which must be read before the next one.

        After the last one the file has been checked, to the letter.
        """
        line = self._next()
        while "end" not in line:
            table = Table(line["table"], tuple(Column(name, kind) for name, kind in line["columns"]))
            self._counts[table.name] = 0
            rest: list[dict[str, Any]] = []
            yield table, self._rows(table.name, rest)
            if not rest:
                raise AssertionError("The rows of a table were not read to their end")
            line = rest[0]
        if line["end"] != self._counts or self._zip.read(1):
            raise _altered()

    def _rows(self, name: str, rest: list[dict[str, Any]]) -> Iterator[list[list[Any]]]:
        while isinstance(line := self._next(), list):
            self._counts[name] += len(line)
            yield line
        rest.append(line)

    def _next(self) -> Any:
        before = self._digest.hexdigest()
        try:
            line = self._zip.readline()
            # An end that was written after exactly these lines, or it is no end.
            self._digest.update(line)
            if not line.endswith(b"\n"):
                raise BackupError("The file is cut: its end is missing. Use another backup.")
            value = json.loads(line)
        except EOFError as error:
            raise BackupError("The file is cut: its end is missing. Use another backup.") from error
        except gzip.BadGzipFile as error:
            raise BackupError("This is no backup of this server, or it was altered: it is not in gzip.") from error
        except (zlib.error, ValueError) as error:
            raise _altered() from error
        if isinstance(value, dict) and "end" in value and value.get("sha256") != before:
            raise _altered()
        return value


def _header(line: Any) -> Header:
    if not isinstance(line, dict) or not isinstance(line.get("format"), int):
        raise BackupError("This is no backup of this server: its first line says nothing of one.")
    if line["format"] > FORMAT:
        raise BackupError(
            f"The backup was made by version {line.get('version')} in a form that this one cannot read: "
            f"restore it with version {line.get('version')}, or a newer one."
        )
    try:
        return Header(**line)
    except TypeError as error:
        raise _altered() from error


def _altered() -> BackupError:
    return BackupError("The file was altered or damaged: its checksum is not that of its lines. Use another backup.")
