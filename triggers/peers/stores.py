"""Redis and PostgreSQL for one contender: fresh, on a free loopback port, in a folder of the benchmark's."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Store:
    url: str
    pid: int


def missing(store: str) -> str:
    """Return why this store ("redis", "postgres") cannot be started here, in words; "" when it can."""
    if store == "redis" and not shutil.which("redis-server"):
        return "redis-server is not installed (apt-get install redis-server)"
    if store == "postgres" and not _postgres_programs():
        return "PostgreSQL is not installed (apt-get install postgresql)"
    return ""


@contextmanager
def redis_server(folder: Path) -> Iterator[Store]:
    """Run Redis; it writes what it is given to its log every second, so that queue and results outlive a restart."""
    port = _free_port()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
    command += ["--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--loglevel", "warning"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield Store(f"redis://127.0.0.1:{port}/0", process.pid)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def postgres_server(folder: Path) -> Iterator[Store]:
    """Run PostgreSQL with its own default settings and one empty database."""
    programs, data, port = _postgres_programs(), folder / "postgres", _free_port()
    password, password_file = secrets.token_hex(16), folder / "postgres-password"
    password_file.write_text(password)
    data.mkdir()
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        folder.chmod(0o711)
        for path in (data, password_file):
            shutil.chown(path, "postgres")
    initdb = [
        f"{programs}/initdb",
        "-D",
        str(data),
        "-U",
        "postgres",
        "-A",
        "scram-sha-256",
        f"--pwfile={password_file}",
    ]
    subprocess.run(_as_postgres(initdb), check=True, cwd="/", stdout=subprocess.DEVNULL)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
    control = [f"{programs}/pg_ctl", "-D", str(data), "-l", str(data / "log"), "-w"]
    subprocess.run(_as_postgres([*control, "-o", options, "start"]), check=True, cwd="/", stdout=subprocess.DEVNULL)
    try:
        pid = int((data / "postmaster.pid").read_text().split()[0])
        yield Store(f"postgres://postgres:{password}@127.0.0.1:{port}/postgres", pid)
    finally:
        stop = _as_postgres([*control, "-m", "immediate", "stop"])
        subprocess.run(stop, check=False, cwd="/", stdout=subprocess.DEVNULL)


def _postgres_programs() -> str:
    """Return the folder of the newest PostgreSQL's programs, "" when there is none. Debian has them outside of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    path = str(found[-1]) if found else shutil.which("initdb")
    return str(Path(path).parent) if path else ""


def _as_postgres(command: list[str]) -> list[str]:
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def _wait_for(port: int) -> None:
    ends_at = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > ends_at:
                raise
            time.sleep(0.05)
