"""GET /healthz."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone

from dashboard import pulse
from triggers.models import Beat

# It looks from a thread of its own: what it shall see must be committed.
pytestmark = pytest.mark.django_db(transaction=True)


def beat_seen(seconds_ago: float) -> None:
    seen_at = timezone.now() - timedelta(seconds=seconds_ago)
    Beat.objects.update_or_create(pk=Beat.ID, defaults={"seen_at": seen_at})


def test_it_is_well_while_the_beat_is_seen(client: Client) -> None:
    beat_seen(seconds_ago=5)

    response = client.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("seconds_ago", [16, 3600, -3600])  # the last: the clock was set back, and nothing beats since
def test_it_is_degraded_when_the_beat_fell_silent(client: Client, seconds_ago: float) -> None:
    beat_seen(seconds_ago)

    response = client.get("/healthz")

    assert (response.status_code, response.json()) == (503, {"status": "degraded"})


def test_it_is_degraded_before_the_first_beat(client: Client) -> None:
    Beat.objects.all().delete()

    assert client.get("/healthz").status_code == 503


def test_it_is_degraded_when_the_database_has_no_answer(client: Client) -> None:
    beat_seen(seconds_ago=0)

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE triggers_beat RENAME TO away")
        try:
            response = client.get("/healthz")
        finally:
            cursor.execute("ALTER TABLE away RENAME TO triggers_beat")

    assert (response.status_code, response.json()) == (503, {"status": "degraded"})
    assert client.get("/healthz").status_code == 200


def test_a_look_that_hangs_is_left_to_itself_and_seldom_another_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(pulse._Look):
        def run(self) -> None:
            time.sleep(5)

    beat_seen(seconds_ago=0)
    looks: list[pulse._Look] = []
    monkeypatch.setattr(pulse, "_looks", looks)
    monkeypatch.setattr(pulse, "LONGEST_WAIT_SECONDS", 0.05)
    with monkeypatch.context() as patch:
        patch.setattr(pulse, "_Look", Hanging)
        assert [pulse.is_felt() for _ in range(3)] == [False] * 3
        assert len(looks) == 1  # they share it
        patch.setattr(pulse, "GIVEN_UP_AFTER_SECONDS", 0.0)
        assert [pulse.is_felt() for _ in range(9)] == [False] * 9
        assert len(looks) == pulse.MOST_HANGING
        del looks[-1]

    monkeypatch.setattr(pulse, "GIVEN_UP_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(pulse, "LONGEST_WAIT_SECONDS", 10.0)
    assert pulse.is_felt()  # the database is back, though those still hang


# --- A database that is another process ------------------------------------------------------------------


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where somebody listens who never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener.getsockname()[1]


@pytest.mark.cluster
@pytest.mark.parametrize("is_there", [True, False], ids=["hangs", "away"])
def test_a_database_that_hangs_or_is_away_keeps_no_monitor_waiting(
    is_there: bool, silent_port: int, tmp_path: Path
) -> None:
    port = _free_port()
    environment = os.environ | {
        "DATABASE_URL": f"postgres://user:pass-word@127.0.0.1:{silent_port if is_there else _free_port()}/events",
        "DATA_DIR": str(tmp_path),
        "PORT": str(port),
        "WEB_WORKERS": "1",
    }
    server = subprocess.Popen([sys.executable, "manage.py", "web"], cwd=settings.BASE_DIR, env=environment)
    try:
        for _ in range(3):
            status, body, seconds = _ask(f"http://127.0.0.1:{port}/healthz")
            assert (status, json.loads(body)) == (503, {"status": "degraded"})
            assert seconds < 10
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)


def _ask(url: str) -> tuple[int, str, float]:
    """Return status, body and seconds of an answer; waits for the server to come up."""
    ends_at = time.monotonic() + 60
    while True:
        began = time.monotonic()
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return answer.status, answer.read().decode(), time.monotonic() - began
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), time.monotonic() - began
        except OSError:
            if time.monotonic() > ends_at:
                raise
            time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
