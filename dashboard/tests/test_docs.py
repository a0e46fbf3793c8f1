"""What the docs say is true: variables, addresses, targets, links, and the README's tour as it is written."""

from __future__ import annotations

import ast
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import get_commands

from dashboard.api.root import api
from triggers import signing

ROOT = Path(settings.BASE_DIR)
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
# Read by Compose itself, not by the server.
COMPOSE_ONLY = {"POSTGRES_PASSWORD", "PUBLISH"}
# Where a container listens and keeps what it has is said by the image and the compose file; a move is made by hand.
SET_IN_COMPOSE = {"HOST", "PORT", "DATA_DIR", "DATABASE_URL", "REDIS_URL", "SINK_URL", "MOVE_TO"}


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _variables() -> dict[str, str]:
    """Return the variables that the settings read, each with the name of its reader in `env`."""
    return {
        node.args[0].value: node.func.attr
        for node in ast.walk(ast.parse(_text("dashboard/settings.py")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "env"
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }


def test_every_variable_is_in_the_example_and_no_other() -> None:
    shown = re.findall(r"^([A-Z_]+)=", _text(".env.example"), re.MULTILINE)

    assert sorted(shown) == sorted(_variables())


def test_every_variable_has_its_section_in_the_configuration_and_no_other() -> None:
    headings = re.findall(r"^### `([A-Z_]+)`$", _text("docs/configuration.md"), re.MULTILINE)
    assert sorted(headings) == sorted(_variables())


def test_every_secret_is_said_to_come_from_a_file_too() -> None:
    readers = ("secret", "keys", "database", "redis_url", "proxy")
    secrets = {name for name, reader in _variables().items() if reader.endswith(readers)}

    assert secrets
    for name in secrets:
        assert f"{name}_FILE" in _text(".env.example")
        assert f"{name}_FILE" in _text("docs/configuration.md")


def test_the_example_shows_the_defaults() -> None:
    """Started with the example as it is, and started with nothing, the server has the same settings."""
    example = dict(re.findall(r"^([A-Z_]+)=(.*)$", _text(".env.example"), re.MULTILINE))

    assert _settings_with(example) == _settings_with({})


def test_compose_passes_every_variable_and_no_other() -> None:
    mentioned = set(re.findall(r"\$\{([A-Z_]+)", _text("compose.yaml")))

    assert mentioned - COMPOSE_ONLY == set(_variables()) - SET_IN_COMPOSE


def test_every_call_of_the_api_is_in_its_doc_and_no_other() -> None:
    schema = api.get_openapi_schema(path_prefix="")
    calls = {f"{method.upper()} {path}" for path, methods in schema["paths"].items() for method in methods}

    assert set(re.findall(r"^\| `([A-Z]+ /\S*)` \|", _text("docs/api.md"), re.MULTILINE)) == calls


def test_the_example_of_the_doc_verifies_signatures() -> None:
    example = re.findall(r"```python\n(.*?)```", _text("docs/api.md"), re.DOTALL)
    given: dict[str, Any] = {}
    exec(example[0], given)  # noqa: S102
    old, new, body, now = signing.new_secret(), signing.new_secret(), b'{"a": "\xc3\xbc"}', int(time.time())

    def is_genuine(secret: str, body: bytes, at: int) -> Any:
        signature = signing.sign([new, old], "evt_1", at, b'{"a": "\xc3\xbc"}')
        headers = {"webhook-id": "evt_1", "webhook-timestamp": str(at), "webhook-signature": signature}
        return given["is_genuine"](secret, headers, body)

    assert is_genuine(new, body, now)
    assert is_genuine(old, body, now)
    assert not is_genuine(signing.new_secret(), body, now)
    assert not is_genuine(new, body + b" ", now)
    assert not is_genuine(new, body, now - 600)


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", _text("Makefile"), re.MULTILINE))
    named = {
        target
        for doc in DOCS
        for target in re.findall(r"(?:^|`|\s=…\s)make ([a-z-]+)", doc.read_text(encoding="utf-8"), re.MULTILINE)
    }

    assert {"run", "test"} <= named
    assert named <= targets


def test_every_manage_command_that_is_named_exists() -> None:
    named = {
        command for doc in DOCS for command in re.findall(r"manage\.py ([a-z_]+)", doc.read_text(encoding="utf-8"))
    }

    assert {"up", "web", "cluster", "create_api_key"} <= named
    assert named <= set(get_commands())


@pytest.mark.parametrize("doc", DOCS, ids=lambda doc: str(doc.relative_to(ROOT)))
def test_every_local_link_leads_somewhere(doc: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", doc.read_text(encoding="utf-8"))

    assert [link for link in links if not (doc.parent / link).exists()] == []


@pytest.mark.cluster
@pytest.mark.skipif(not shutil.which("curl"), reason="The README's tour needs curl (apt-get install curl)")
def test_the_tour_of_the_readme_runs_as_it_is_written(running_server: dict[str, str]) -> None:
    tour = next(block for block in re.findall(r"```bash\n(.*?)```", _text("README.md"), re.DOTALL) if "curl" in block)
    receiver_port = str(_free_port())
    for written, here in (
        (":8000", f":{running_server['PORT']}"),
        (":9000/", f":{receiver_port}/"),
        ("9000", receiver_port),
        (".venv/bin/python", sys.executable),
    ):
        assert written in tour
        tour = tour.replace(written, here)

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", tour],
        cwd=ROOT,
        env=running_server,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    said = done.stdout
    assert (done.returncode, done.stderr) == (0, "")
    assert 'received{"order":7}' in said.replace(" ", "")
    assert "Trigger fired" in said
    assert '"outcome":"succeeded"' in said.replace(" ", "")
    assert '"source":"schedule"' in said.replace(" ", "")
    assert said.count("Trigger updated successfully") == 2
    assert "Trigger fired manually for testing" in said
    assert said.count("Trigger deleted successfully") == 2
    assert '"error":{' not in said.replace(" ", "")


@pytest.fixture
def running_server(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A server as `make run` starts it, on its own SQLite database; gives the environment that it runs in."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ENCRYPTION_KEYS")
    } | {"DATA_DIR": str(tmp_path), "PORT": str(_free_port()), "DELIVERY_ALLOWED_NETWORKS": "127.0.0.0/8"}
    server = subprocess.Popen([sys.executable, "manage.py", "up"], cwd=ROOT, env=environment)
    try:
        _wait_until_healthy(f"http://127.0.0.1:{environment['PORT']}/healthz")
        yield environment
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=60)


def _wait_until_healthy(url: str, timeout_seconds: float = 60) -> None:
    ends_at = time.monotonic() + timeout_seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            if time.monotonic() > ends_at:
                raise
        time.sleep(0.2)


def _settings_with(variables: dict[str, str]) -> str:
    """Return all settings, in words, of a process that has these variables of ours and no others."""
    environment = {name: value for name, value in os.environ.items() if name not in _variables()}
    # They are kept in files of the data folder; what is in them must be the same here.
    kept = {
        "DATA_DIR": os.environ["DATA_DIR"],
        "SECRET_KEY": "only-for-tests",
        "ENCRYPTION_KEYS": ",".join(settings.ENCRYPTION_KEYS),
    }
    shown = subprocess.run(
        [sys.executable, "manage.py", "diffsettings"],
        cwd=ROOT,
        env=environment | variables | kept,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return re.sub(r"0x[0-9a-f]+", "", shown)  # where an object lies in memory


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
