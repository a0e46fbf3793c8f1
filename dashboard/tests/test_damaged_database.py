"""A command that meets a database in trouble says so in words, and not by the way through the code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    start = [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), *command]
    return subprocess.run(
        start, env=environment | {"DATA_DIR": str(folder)}, capture_output=True, text=True, timeout=180, check=False
    )


@pytest.mark.parametrize("command", ["up", "cluster", "migrate"])
def test_a_damaged_file_stops_the_start(tmp_path: Path, command: str) -> None:
    (tmp_path / "events.sqlite3").write_bytes(b"SQLite format 3\0" + os.urandom(8176))
    ended = run(tmp_path, command)
    assert ended.returncode == 1
    assert "The database is damaged. Stop the server, keep a copy" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_file_of_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "events.sqlite3").write_text("my notes, kept in the wrong place")
    ended = run(tmp_path, "migrate")
    assert f"DATA_DIR={tmp_path} is not allowed: it is no SQLite database" in ended.stderr
    assert (tmp_path / "events.sqlite3").read_text() == "my notes, kept in the wrong place"


def test_a_command_before_the_first_migrate_says_what_to_run(tmp_path: Path) -> None:
    assert "Run: manage.py migrate" in run(tmp_path, "create_api_key", "billing").stderr
