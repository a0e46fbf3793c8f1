"""No two processes share a connection of PostgreSQL, and there are no more than docs/deployment.md says."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from triggers.tests.clusters import MANAGE, Cluster, wait

pytestmark = [pytest.mark.postgres, pytest.mark.cluster]

WORKERS = 4
OF_A_CLUSTER = 5 + 2 * WORKERS
WEB_WORKERS, WEB_THREADS = 2, 4
OF_WEB = WEB_WORKERS * (WEB_THREADS + 1)


@pytest.fixture
def web(cluster: Cluster) -> Iterator[tuple[int, str]]:
    """The web server beside the cluster: its pid, and where it is."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    numbers = {"PORT": str(port), "WEB_WORKERS": str(WEB_WORKERS), "WEB_THREADS": str(WEB_THREADS)}
    process = subprocess.Popen([*MANAGE, "web"], env=cluster.environment | numbers)
    try:
        url = f"http://127.0.0.1:{port}/healthz"
        wait(lambda: _is_ok(url), 60)
        yield process.pid, url
    finally:
        process.terminate()
        process.wait(60)


def test_no_connection_is_shared(cluster: Cluster, web: tuple[int, str]) -> None:
    pid, url = web
    port = urlsplit(cluster.database_url).port or 5432

    def look() -> None:
        for _ in range(20):
            _show_a_page(url)
        of_cluster, of_web = _connections(cluster.watcher.pid, port), _connections(pid, port)
        assert of_cluster
        assert of_web
        shared = {inode: count for inode, count in (of_cluster + of_web).items() if count > 1}
        assert shared == {}
        assert len(of_cluster) <= OF_A_CLUSTER
        assert len(of_web) <= OF_WEB

    look()
    # Processes that take the place of others are forked from one that has had connections since.
    for child in cluster.workers():
        os.kill(child, signal.SIGTERM)
    cluster.wait_for_delivery(60)
    for worker in _children(pid):
        os.kill(worker, signal.SIGKILL)
    wait(lambda: _is_ok(url), 60)
    look()


def _is_ok(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _show_a_page(url: str) -> None:
    """Ask for what a web thread itself asks the database for; /healthz looks by a connection of the moment."""
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(url.replace("/healthz", "/login"), timeout=20).close()


def _connections(root: int, port: int) -> Counter[str]:
    """Return the connections to a local port that the processes below one hold, and how many processes hold each."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    inodes = {f"socket:[{line[9]}]" for line in lines if int(line[2].split(":")[1], 16) == port and line[3] == "01"}
    held: Counter[str] = Counter()
    for pid in _family(root):
        try:
            held.update({os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()} & inodes)
        except OSError:
            continue  # it, or what it had open, is gone meanwhile
    return held


def _family(root: int) -> list[int]:
    return [root, *(pid for child in _children(root) for pid in _family(child))]


def _children(pid: int) -> list[int]:
    lines = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(line) for line in lines.split()]
