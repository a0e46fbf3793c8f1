"""A real pgbouncer in transaction mode before the tests' PostgreSQL."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from triggers.tests.clusters import wait

CONFIGURATION = """
[databases]
* = host={host} port={server_port} user={user} {password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
# Fewer than processes: each has another connection of the database in one transaction after another.
default_pool_size = 3
"""


@contextmanager
def started(folder: Path, database_url: str) -> Iterator[int]:
    """Run it before the server of `database_url`, and yield its port."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if not program:
        pytest.skip("pgbouncer is missing: apt-get install pgbouncer")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    server = urlsplit(database_url)
    (folder / "pgbouncer.ini").write_text(
        CONFIGURATION.format(
            host=server.hostname,
            server_port=server.port or 5432,
            user=server.username,
            password=f"password='{server.password}'" if server.password else "",
            port=port,
        )
    )
    # It refuses to run as root.
    user = ["--user=postgres"] if os.getuid() == 0 else []
    process = subprocess.Popen([program, "--quiet", *user, str(folder / "pgbouncer.ini")])
    try:
        wait(lambda: _listens(port), 30)
        yield port
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
