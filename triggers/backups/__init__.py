"""All that counts in one file, and back from it: into SQLite or PostgreSQL, whichever it was made from.

    taking    writes a backup, of one instant, while the server runs
    restoring reads one into an empty database, and brings that up to date
    rows      what the two databases say differently about rows
    schema    at which migrations a database is, and which tables it then has
    tables    which of them travel, in which order, and how their values do
    stream    the form of the file

The file is gzip of JSON lines: a header, then each table with its rows, then an end with the counts and a checksum. So
it can be written and read in bounded memory, piped, and looked into with zcat. Secrets stay encrypted in it, and
the keys are not in it.
"""

from __future__ import annotations

from triggers.backups.restoring import Restored, RestoreError, check, refuse_what_runs, restore
from triggers.backups.rows import InUse
from triggers.backups.schema import SchemaError
from triggers.backups.stream import BackupError, Header
from triggers.backups.taking import ENDING, Taken, forget_all_but, save, write

__all__ = [
    "ENDING",
    "BackupError",
    "Header",
    "InUse",
    "RestoreError",
    "Restored",
    "SchemaError",
    "Taken",
    "check",
    "forget_all_but",
    "refuse_what_runs",
    "restore",
    "save",
    "write",
]
