"""The web server as processes."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from django.conf import settings


@pytest.mark.cluster
def test_its_port_is_free_soon_after_its_master_was_killed_whatever_connections_are_busy(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    environment = os.environ | {
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path}/empty.sqlite3",
        "PORT": str(port),
        "WEB_WORKERS": "1",
    }
    master = subprocess.Popen([sys.executable, str(settings.BASE_DIR / "manage.py"), "web"], env=environment)
    try:
        with closing(_connected(port)) as connection:
            master.send_signal(signal.SIGKILL)
            master.wait()

            # Somebody goes on asking over a connection that is kept alive.
            ends_at = time.monotonic() + 10
            while not _is_free(port):
                assert time.monotonic() < ends_at, "the port is still taken"
                with suppress(OSError, http.client.HTTPException):
                    _ask(connection)
                time.sleep(0.05)
    finally:
        master.kill()
        master.wait()


def _connected(port: int) -> http.client.HTTPConnection:
    ends_at = time.monotonic() + 60
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            _ask(connection)
        except OSError:
            assert time.monotonic() < ends_at, "it does not answer"
            time.sleep(0.1)
        else:
            connection.auto_open = 0  # once it is closed it stays closed
            return connection


def _ask(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/healthz")
    connection.getresponse().read()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
