"""A disk that is really full, under a server that really runs: a small one in memory, which only root may mount."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from dashboard.tests.running import MANAGE, running, until

pytestmark = [pytest.mark.cluster, pytest.mark.sqlite]

PAGES = ("/dashboard/", "/dashboard/triggers/", "/dashboard/events/", "/dashboard/health/")
MAKE_ROOM = """
import os, pathlib
from datetime import timedelta
from django.db import OperationalError
from django.utils import timezone
from triggers import definition, faults, firing, retention, sqlite_file
from triggers.models import Event

now = timezone.now()
trigger = definition.create({"type": "api"}, now)
expired = now - timedelta(days=3)
Event.objects.bulk_create(Event(**firing._fields(trigger, Event.Source.API, {"x": "y" * 900}, expired)
                                | {"outcome": "logged", "hand_over_at": None}) for _ in range(5000))
assert sqlite_file.keep_reserve()
ballast = os.open(pathlib.Path(sqlite_file.path()).parent / "ballast", os.O_CREAT | os.O_WRONLY)
for size in (1 << 20, 4096):
    try:
        while True:
            os.write(ballast, b"x" * size)
    except OSError:
        pass
# The log is written over and over again; a large payload needs more than it has room for.
try:
    firing.fire(trigger, now, {"x": "y" * 9_000_000})
    retention.forget_events(now)
except OperationalError as error:
    assert faults.fault_of(error) is faults.FULL
else:
    raise AssertionError("there was room")
assert retention.make_room(now) == 5000
for _ in range(1000):
    firing.fire(trigger, now, {"x": "y" * 900})
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", bytes(folder), b"tmpfs", 0, b"size=128m") != 0:
        pytest.xfail(f"cannot mount here: {os.strerror(ctypes.get_errno())}")
    yield folder
    libc.umount2(bytes(folder), 2)  # MNT_DETACH


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    ballast = os.open(disk / "ballast", os.O_CREAT | os.O_WRONLY)
    for size in (1 << 20, 4096, 1):
        with suppress(OSError):
            while True:
                os.write(ballast, b"x" * size)
    os.close(ballast)
    try:
        yield
    finally:
        (disk / "ballast").unlink()


def test_nothing_is_lost_pages_are_shown_and_it_recovers_by_itself(
    disk: Path, tmp_path: Path, receiver: HTTPServer
) -> None:
    receiver.expect_request("/hook").respond_with_data("ok")
    with running(disk, tmp_path / "log", receiver.url_for("/hook"), TMPDIR=str(disk)) as server:
        acked = [server.fire().status for _ in range(5)]
        said_before = len(server.log)
        with filled(disk):
            replies = [server.fire({"text": "x" * 50_000}) for _ in range(200)]
            until(lambda: server.fire().status == 503, 30)
            pages = [server.page(path) for path in PAGES]
        acked += [reply.status for reply in replies]
        until(lambda: server.fire().status == 202, 30)
        until(server.has_caught_up, 45)

        assert set(acked) == {202, 503}
        assert server.count("source = 'api'") >= acked.count(202) + 1
        assert all("The disk of the server is full." in page.text for page in pages)
        assert [page.status for page in pages] == [200] * len(PAGES)
        assert server.instants_left_out() == 0
        lines = server.log[said_before:]
    assert not any("Traceback" in line for line in lines), "\n".join(lines)
    assert len([line for line in lines if "healthz" not in line]) < 25, "\n".join(lines)


def test_the_reserve_makes_room_for_what_comes(disk: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environment |= {"DATA_DIR": str(disk)}
    subprocess.run([*MANAGE, "migrate", "-v0"], env=environment, check=True)
    ended = subprocess.run(
        [*MANAGE, "shell", "-v0", "-c", MAKE_ROOM], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


def test_a_server_starts_on_a_full_disk_by_giving_up_the_reserve(disk: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environment |= {"DATA_DIR": str(disk)}
    subprocess.run([*MANAGE, "migrate", "-v0"], env=environment, check=True)
    subprocess.run(
        [*MANAGE, "shell", "-v0", "-c", "from triggers import sqlite_file as s; assert s.keep_reserve()"],
        env=environment,
        check=True,
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        environment["PORT"] = str(free.getsockname()[1])
    with filled(disk), subprocess.Popen([*MANAGE, "up"], env=environment, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        assert "its reserve is given up, so that the server can start" in server.stderr.readline()
        until(lambda: _listens(int(environment["PORT"])), 60)
        server.terminate()


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False
