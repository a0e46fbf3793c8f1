"""Backups, restores and moves as processes: through pipes and broken ones, on a full disk."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import psycopg
import pytest

from triggers.tests.clusters import MANAGE
from triggers.tests.databases import Database

pytestmark = pytest.mark.cluster  # many processes, and no database of pytest's

FILL = """
from datetime import timedelta
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone
from dashboard.models import ApiKey, User
from triggers.tests.factories import make_api_trigger, make_attempt, make_event
now = timezone.now()
mara = User.objects.create_user("mara", "mara@example.org", "correct horse battery", role="admin")
trigger = make_api_trigger(name="Grüße", headers=[["X-Token", "planted", True]], api_endpoint="https://example.com/",
                           payload={"b": 1, "a": [1.0, 1e22, 0.1, 1e-7, None, "\\u00fc"], "": {}})
ApiKey.create("limited", by=mara, triggers=[trigger])
make_attempt(make_event(trigger, outcome="succeeded"), response_body="thank you")
make_event(trigger, due_at=now + timedelta(hours=1), hand_over_at=now + timedelta(hours=1))
SessionStore().create()
"""

READ = """
import json
from triggers.models import Event, Trigger
from dashboard.models import ApiKey, User
trigger = Trigger.objects.get()
print(json.dumps({
    "people": [[each.username, each.password, str(each.date_joined)] for each in User.objects.all()],
    "keys": [[key.digest, [each.pk for each in key.triggers.all()]] for key in ApiKey.objects.all()],
    "trigger": [trigger.name, trigger.payload, trigger.recipe.headers, trigger.recipe.signing_secret],
    "events": [[each.webhook_id, each.outcome, str(each.due_at), str(each.hand_over_at), each.payload,
                [attempt.response_body for attempt in each.attempts.all()]] for each in Event.objects.order_by("pk")],
}))
"""


@pytest.fixture(scope="module")
def once_filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    database = Database(f"sqlite:///{folder}/events.sqlite3", folder)
    database.migrate()
    database.shell(FILL)
    return folder


@pytest.fixture
def filled(once_filled: Path, tmp_path: Path) -> Database:
    """A server's database as it is out of the box, whatever the tests run on."""
    shutil.copytree(once_filled, tmp_path / "filled")
    return Database(f"sqlite:///{tmp_path}/filled/events.sqlite3", tmp_path / "filled")


def test_all_moves_to_another_database_and_back(filled: Database, database: Database, tmp_path: Path) -> None:
    """From SQLite; to PostgreSQL where the tests run on it, which spells JSON, times and truth in its own way."""
    said = filled.manage("move", "--to", database.url)

    assert "each read again and found equal" in said
    assert "Now set DATABASE_URL to the other database, and start the server" in said
    before = json.loads(filled.shell(READ))
    assert json.loads(database.shell(READ)) == before
    sessions = "SELECT session_key FROM django_session"
    assert database.ask(sessions) == filled.ask(sessions)  # nobody need sign in again
    assert database.shell("from triggers.tests.factories import *; print(make_event().pk)").strip() == "3"
    database.ask("DELETE FROM triggers_event WHERE id = 3 RETURNING id")
    database.ask("DELETE FROM triggers_change WHERE trigger_id <> 1 RETURNING id")
    database.ask("DELETE FROM triggers_trigger WHERE id <> 1 RETURNING id")

    (tmp_path / "back").mkdir()
    back = Database(f"sqlite:///{tmp_path}/back/events.sqlite3", tmp_path / "back")
    if database.url.startswith("postgres"):
        with psycopg.connect(database.url):
            assert b"Another process has this database open" in database.run("move", "--to", back.url).stderr
    database.manage("move", "--to", back.url)
    assert json.loads(back.shell(READ)) == before


def test_where_to_comes_from_a_file_that_hides_its_password(filled: Database, tmp_path: Path) -> None:
    assert b"set MOVE_TO or MOVE_TO_FILE, or add --to URL" in filled.run("move").stderr
    (tmp_path / "other").mkdir()
    other = Database(f"sqlite:///{tmp_path}/other/events.sqlite3", tmp_path / "other")
    (tmp_path / "address").write_text(f"{other.url}\n")

    filled.with_variables(MOVE_TO_FILE=str(tmp_path / "address")).manage("move")

    assert json.loads(other.shell(READ)) == json.loads(filled.shell(READ))


def test_a_database_that_somebody_has_open_is_not_moved(filled: Database, database: Database) -> None:
    with closing(connect(filled.url.removeprefix("sqlite:///"))) as web:
        web.execute("SELECT count(*) FROM triggers_event").fetchall()

        done = filled.run("move", "--to", database.url)

    assert done.returncode == 1
    assert b"Another process has this database open: stop the server, web" in done.stderr
    assert b"Traceback" not in done.stderr


def test_nothing_moves_into_a_database_that_holds_something(filled: Database, tmp_path: Path) -> None:
    other = Database(f"sqlite:///{tmp_path}/other.sqlite3", tmp_path)
    shutil.copy(filled.folder / "events.sqlite3", tmp_path / "other.sqlite3")

    done = filled.run("move", "--to", other.url)

    assert done.returncode == 1
    assert b"holds something already" in done.stderr
    assert b"The other database refused, as said above; this one is as it was." in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_pipe_carries_a_backup(filled: Database, database: Database) -> None:
    kept = filled.run("backup", "-").stdout
    done = database.run("restore", "-", input=kept)

    assert done.returncode == 0, done.stderr
    assert json.loads(database.shell(READ)) == json.loads(filled.shell(READ))
    assert database.ask("SELECT count(*) FROM django_session") == [(0,)]  # whoever has a backup cannot sign in by it


def test_nothing_is_left_when_a_backup_cannot_be_written(filled: Database, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (place / "kept").write_text("the one of yesterday")
    filled.ask("UPDATE triggers_attempt SET response_body = hex(randomblob(100000)) RETURNING id")
    # As on a full disk: no file may grow beyond 32 kB, which is what SQLite needs beside its own.
    limited = "import os, resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limited += "resource.setrlimit(resource.RLIMIT_FSIZE, (32768, 32768)); os.execv(sys.executable, sys.argv[1:])"

    done = subprocess.run(
        [sys.executable, "-c", limited, *MANAGE, "backup", str(place / "kept")],
        env=filled.environment,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 1
    assert b"No backup was made: File too large" in done.stderr
    assert b"Traceback" not in done.stderr
    assert [path.read_text() for path in place.iterdir()] == ["the one of yesterday"]


def test_a_broken_pipe_is_said_in_words(filled: Database) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        done = subprocess.run(
            [*MANAGE, "backup", "-"], env=filled.environment, stdout=pipe, stderr=subprocess.PIPE, check=False
        )

    assert done.returncode == 1
    assert b"No backup was made: Broken pipe" in done.stderr
    assert b"Traceback" not in done.stderr
    assert b"ignored" not in done.stderr


def test_no_backup_is_made_of_nothing(database: Database, tmp_path: Path) -> None:
    done = database.run("backup", str(tmp_path / "kept"))

    assert done.returncode == 1
    assert b"The database has no tables, so there is nothing to keep. Is DATABASE_URL right?" in done.stderr
    assert not (tmp_path / "kept").exists()
