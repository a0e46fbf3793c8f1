"""Another program holds SQLite's write lock for long: no fire is lost, pages are shown, and all goes on afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from dashboard.tests.running import Reply, Running, running, until

pytestmark = [pytest.mark.cluster, pytest.mark.sqlite]

HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def write_lock_held(server: Running) -> Iterator[None]:
    """Let another process hold it, as a backup that is stuck would; when that ends, the lock is free."""
    command = [sys.executable, "-c", HOLD, str(server.database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            other.kill()


def test_no_fire_is_lost_pages_are_shown_and_all_goes_on(tmp_path: Path, receiver: HTTPServer) -> None:
    receiver.expect_request("/hook").respond_with_data("ok")
    with running(tmp_path, tmp_path / "log", receiver.url_for("/hook")) as server, ThreadPoolExecutor(40) as callers:
        said_before = len(server.log)
        with write_lock_held(server):
            fires = [callers.submit(server.fire) for _ in range(40)]
            # More callers than the server has threads, and still there is one for who wants to read.
            time.sleep(2)
            pages = [server.page(path) for path in ("/dashboard/", "/dashboard/events/", "/dashboard/health/")]
            refused = [fire.result() for fire in fires]
            time.sleep(18)  # longer than the patience of the workers
        acked = [server.fire() for _ in range(10)]
        until(server.has_caught_up, 45)

        assert [page.status for page in pages] == [200, 200, 200]
        assert max(page.seconds for page in pages) < 20  # of a slow machine; the lock is held for longer
        assert {fire.status for fire in refused} == {503}
        assert max(fire.seconds for fire in refused) < 20
        assert all(_is_in_words(fire) for fire in refused)
        assert [fire.status for fire in acked] == [202] * 10
        assert server.count("source = 'api'") == 10
        assert server.instants_left_out() == 0
        lines = server.log[said_before:]
    assert not any("Traceback" in line for line in lines), "\n".join(lines)
    assert not any("shown life" in line for line in lines), "the cluster was killed, and only waited"
    assert len(lines) < 20, "\n".join(lines)


def _is_in_words(reply: Reply) -> bool:
    words: str = json.loads(reply.text)["message"]
    return words.startswith("Another program holds the database’s write lock.") and reply.headers["Retry-After"] == "1"
